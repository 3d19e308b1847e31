namespace Garden;

/// <summary>Peers that are signalled together, for barriers. The list is native, so a barrier copies nothing.</summary>
public sealed class PeerGroup : IDisposable
{
    private ulong _block;

    /// <summary>A group of ready peers of one engine.</summary>
    /// <exception cref="PeerFailedException">A peer is not ready.</exception>
    public unsafe PeerGroup(params ReadOnlySpan<Peer> peers)
    {
        foreach (Peer peer in peers)
            peer.RequireReady();
        _block = NativeBlock.Rent(peers.Length, sizeof(RegionHandle), out void* items);
        // Safe: the block was rented for peers.Length handles.
        for (int i = 0; i < peers.Length; i++)
            ((RegionHandle*)items)[i] = peers[i].SignalRegion;
        Count = peers.Length;
    }

    /// <summary>Number of members.</summary>
    public int Count { get; }

    /// <summary>The blittable reference for plans.</summary>
    /// <exception cref="ObjectDisposedException">The group was disposed.</exception>
    public PeerGroupHandle Handle
    {
        get
        {
            ulong block = Volatile.Read(ref _block);
            ObjectDisposedException.ThrowIf(block == 0, this);
            return new PeerGroupHandle(block);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => NativeBlock.Release(Interlocked.Exchange(ref _block, 0));
}
