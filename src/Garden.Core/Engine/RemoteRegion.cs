namespace Garden;

/// <summary>A peer's region, imported: the destination of writes. Disposing frees its row; it does not touch the peer.</summary>
public sealed class RemoteRegion : IDisposable
{
    private readonly TransferEngine _engine;

    internal RemoteRegion(TransferEngine engine, Peer peer, RegionHandle handle, MemoryRegionDescriptor descriptor)
    {
        _engine = engine;
        Peer = peer;
        Handle = handle;
        Descriptor = descriptor;
    }

    /// <summary>The peer the region belongs to.</summary>
    public Peer Peer { get; }

    /// <summary>The blittable name for plans. Stale once the peer has failed or the region was disposed.</summary>
    public RegionHandle Handle { get; }

    /// <summary>What the owner said about it.</summary>
    public MemoryRegionDescriptor Descriptor { get; }

    /// <summary>Length in bytes.</summary>
    public long Length => Descriptor.Length;

    /// <inheritdoc/>
    public void Dispose() => _engine.Regions.Remove(Handle);
}
