using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Kernels.Tests.Device;

/// <summary>Device buffers and the engine: the CPU accelerator's memory travels, CUDA memory is refused by loopback, nothing is freed while it is registered.</summary>
public sealed class RegistrationTests
{
    [Fact]
    public async Task CpuDeviceMemoryTravelsOverLoopback()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine sender = TransferEngine.CreateBuilder().UseLoopback(network, "sender").Build();
        await using TransferEngine receiver = TransferEngine.CreateBuilder().UseLoopback(network, "receiver").Build();
        byte[] bytes = TestBytes.Random(new Random(3), 100_000);
        using DeviceBuffer from = TestBytes.Upload(TestDevices.Cpu, bytes), to = TestDevices.Cpu.Allocate(bytes.Length);
        await using BufferRegistration source = from.RegisterWith(sender), destination = to.RegisterWith(receiver);
        Peer peer = await sender.ConnectAsync(receiver.Address, cancellationToken: TestContext.Current.CancellationToken);
        RemoteRegion remote = peer.Import(destination.Region.Export());
        ImmCounter counter = receiver.GetCounter(5);
        await sender.SubmitSingleWrite(source.Region, 0, remote, 0, bytes.Length, Immediate.FromNumber(5));
        await counter.WaitAsync(1, Deadline.Default.Left, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(bytes, TestBytes.Download(to));
    }

    [Fact]
    public async Task ARegisteredBufferCannotBeFreed()
    {
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), "one").Build();
        DeviceBuffer buffer = TestDevices.Cpu.Allocate(100);
        BufferRegistration first = buffer.RegisterWith(engine), second = buffer.RegisterWith(engine);
        Assert.Contains("2 times", Assert.Throws<InvalidOperationException>(buffer.Dispose).Message, StringComparison.Ordinal);
        await first.DisposeAsync();
        await first.DisposeAsync();
        Assert.Contains("1 times", Assert.Throws<InvalidOperationException>(buffer.Dispose).Message, StringComparison.Ordinal);
        await second.DisposeAsync();
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.RegisterWith(engine));
    }

    [Fact]
    public async Task L8_ABufferThatOnlyItsRegionKnowsIsNotCollected()
    {
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), "one").Build();
        (MemoryRegion region, WeakReference buffer) = Register(engine);
        Garbage.Collect();
        Assert.True(buffer.IsAlive, "The memory of a registered region was freed.");
        Assert.Equal(7, Marshal.ReadByte(region.Address));
        await region.DisposeAsync();
        Garbage.Collect();
        Assert.False(buffer.IsAlive, "An unregistered region keeps its memory.");
        GC.KeepAlive(region);
    }

    [Fact]
    public async Task LoopbackRefusesCudaMemory()
    {
        using DeviceBuffer buffer = TestDevices.Cuda.Allocate(100);
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), "one").Build();
        Assert.Contains("cannot register Cuda memory", Assert.Throws<FabricException>(() => buffer.RegisterWith(engine)).Message, StringComparison.Ordinal);
        // The refusal holds nothing: the buffer can be freed.
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (MemoryRegion Region, WeakReference Buffer) Register(TransferEngine engine)
    {
        DeviceBuffer buffer = TestBytes.Upload(TestDevices.Cpu, [7, 7]);
        return (buffer.RegisterWith(engine).Region, new WeakReference(buffer));
    }
}
