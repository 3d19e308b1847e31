using Garden.Fabric;
using Garden.Kernels.Nvlink;
using Garden.Testing;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>nvlink NICs of this process with device memory: engines take turns on the devices they are given.</summary>
internal class NvlinkHarness(NvlinkOptions options, params KernelDevice[] devices) : FabricHarness
{
    private int _opened = -1;

    public override string AbsentAddress => $"{(devices[0] is CudaDevice ? "cuda" : "cpu")}:1.1.3.00000000000000ff";

    public override int RoundTrips => 2_000;

    public override bool TryFailNic(FabricEndpoint endpoint)
    {
        ((NvlinkDomain)endpoint.Domain).Fail(719);
        return true;
    }

    protected override EndpointMemory Allocate(long bytes) => new DeviceEndpointMemory(devices[_opened % devices.Length], bytes);

    protected override IFabric Create(string name, int nics) => new NvlinkFabric(devices[++_opened % devices.Length], options with { Nics = nics });
}

/// <summary>The same with memory of the host.</summary>
internal sealed class PinnedHostHarness(KernelDevice device) : NvlinkHarness(new NvlinkOptions(), device)
{
    protected override EndpointMemory Allocate(long bytes) => new HostEndpointMemory(bytes);
}

/// <summary>Memory of a device.</summary>
internal sealed class DeviceEndpointMemory : EndpointMemory
{
    private readonly DeviceBuffer _buffer;

    public DeviceEndpointMemory(KernelDevice device, long bytes)
    {
        _buffer = device.Allocate(bytes);
        Fill(0, (int)bytes, 0);
    }

    public override nint Address => _buffer.Address;

    public override long Length => _buffer.Length;

    public override MemoryKind Kind => _buffer.Device.MemoryKind;

    public override ReadOnlySpan<byte> Read(long at, int length)
    {
        var bytes = new byte[length];
        _buffer.Read(bytes, at);
        return bytes;
    }

    public override void Write(long at, ReadOnlySpan<byte> bytes) => _buffer.Write(bytes, at);

    protected override void Dispose(bool disposing) => _buffer.Dispose();
}
