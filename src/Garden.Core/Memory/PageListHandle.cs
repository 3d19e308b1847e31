using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>A blittable reference to a <see cref="PageList"/> for use inside plans. The default handle is an empty list.</summary>
public readonly struct PageListHandle
{
    private readonly ulong _block;

    internal PageListHandle(ulong block) => _block = block;

    /// <summary>Number of page indices.</summary>
    public int Count => NativeBlock.Count(_block);

    /// <summary>True when the list has not been disposed (or is still held by a running transfer).</summary>
    public bool IsLive => NativeBlock.IsLive(_block);

    /// <summary>The page indices; valid while the list or a transfer that uses it is alive.</summary>
    public unsafe int* Items
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (int*)NativeBlock.Items(_block);
    }

    /// <summary>The same as a span, for plans that are compiled without unsafe code; empty for the default handle.</summary>
    public unsafe ReadOnlySpan<int> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        // Safe: a block has room for as many items as it counts.
        get => _block == 0 ? default : new(NativeBlock.Items(_block), NativeBlock.Count(_block));
    }

    /// <summary>The smallest page index, 0 for an empty list.</summary>
    public int Minimum => _block == 0 ? 0 : NativeBlock.Minimum(_block);

    /// <summary>The largest page index, −1 for an empty list.</summary>
    public int Maximum => _block == 0 ? -1 : NativeBlock.Maximum(_block);

    /// <summary>Takes a reference; for implementations of <see cref="ITransferPlan{TSelf}.Acquire"/>.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public void Retain() => NativeBlock.Retain(_block);

    /// <summary>Gives a reference back; for implementations of <see cref="ITransferPlan{TSelf}.Release"/>.</summary>
    public void Release() => NativeBlock.Release(_block);
}
