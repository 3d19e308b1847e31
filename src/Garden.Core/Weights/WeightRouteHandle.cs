namespace Garden.Weights;

/// <summary>A blittable reference to the pieces of a <see cref="WeightRoute"/> for use inside plans.</summary>
public readonly struct WeightRouteHandle
{
    private readonly ulong _block;

    internal WeightRouteHandle(ulong block) => _block = block;

    /// <summary>Number of pieces.</summary>
    public int Count => NativeBlock.Count(_block);

    internal unsafe ReadOnlySpan<WeightPiece> Items =>
        // Safe: a block has room for as many items as it counts.
        _block == 0 ? default : new(NativeBlock.Items(_block), NativeBlock.Count(_block));

    internal ReadOnlySpan<WeightPiece> Validated
    {
        get
        {
            if (_block != 0 && !NativeBlock.IsLive(_block))
                ThrowHelper.ThrowListDisposed();
            return Items;
        }
    }

    internal static unsafe WeightRouteHandle Rent(ReadOnlySpan<WeightPiece> pieces)
    {
        ulong block = NativeBlock.Rent(pieces.Length, sizeof(WeightPiece), out void* items);
        // Safe: the block was rented for pieces.Length items.
        pieces.CopyTo(new Span<WeightPiece>(items, pieces.Length));
        return new WeightRouteHandle(block);
    }

    internal void Retain() => NativeBlock.Retain(_block);

    internal void Release() => NativeBlock.Release(_block);
}
