namespace Garden;

/// <summary>A blittable reference to the native copy of a scatter's targets.</summary>
public readonly struct ScatterListHandle
{
    private readonly ulong _block;

    internal ScatterListHandle(ulong block) => _block = block;

    internal unsafe ReadOnlySpan<ScatterTarget> Items =>
        _block == 0 ? default : new(NativeBlock.Items(_block), NativeBlock.Count(_block));

    internal ReadOnlySpan<ScatterTarget> Validated
    {
        get
        {
            if (_block != 0 && !NativeBlock.IsLive(_block))
                ThrowHelper.ThrowListDisposed();
            return Items;
        }
    }

    internal static unsafe ScatterListHandle Rent(ReadOnlySpan<ScatterTarget> targets)
    {
        ulong block = NativeBlock.Rent(targets.Length, sizeof(ScatterTarget), out void* items);
        // Safe: the block was rented for targets.Length items.
        targets.CopyTo(new Span<ScatterTarget>(items, targets.Length));
        return new ScatterListHandle(block);
    }

    internal void Retain() => NativeBlock.Retain(_block);

    internal void Release() => NativeBlock.Release(_block);
}
