using Garden.Fabric.Loopback;

namespace Garden.Kernels.Tests.Writes;

/// <summary>Two region handles of an engine, to name in descriptors.</summary>
internal sealed class TestRegions : IDisposable
{
    private readonly NativeBuffer _source;
    private readonly NativeBuffer _destination;
    private readonly TransferEngine _engine;

    public TestRegions(long sourceBytes, long destinationBytes)
    {
        _source = new NativeBuffer(sourceBytes);
        _destination = new NativeBuffer(destinationBytes);
        _engine = TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), "regions").Configure(static options => options.CallerDriven = true).Build();
        Source = _engine.Register(_source).Handle;
        Destination = _engine.Register(_destination).Handle;
    }

    public RegionHandle Source { get; }

    public RegionHandle Destination { get; }

    public void Dispose()
    {
        _engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _source.Dispose();
        _destination.Dispose();
    }
}
