namespace Garden;

/// <summary>A blittable reference to the members of a peer group for use inside plans.</summary>
public readonly struct PeerGroupHandle
{
    private readonly ulong _block;

    internal PeerGroupHandle(ulong block) => _block = block;

    internal unsafe ReadOnlySpan<RegionHandle> Items =>
        _block == 0 ? default : new(NativeBlock.Items(_block), NativeBlock.Count(_block));

    internal ReadOnlySpan<RegionHandle> Validated
    {
        get
        {
            if (_block != 0 && !NativeBlock.IsLive(_block))
                ThrowHelper.ThrowListDisposed();
            return Items;
        }
    }

    internal void Retain() => NativeBlock.Retain(_block);

    internal void Release() => NativeBlock.Release(_block);
}
