using System.Numerics;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// Page indices in native memory, copied and range-checked once and used by any number of transfers (over all layers of a
/// request, say). Disposing gives up the owner's reference; running transfers keep theirs.
/// </summary>
public sealed class PageList : IDisposable
{
    private ulong _block;

    private PageList(ulong block) => _block = block;

    /// <summary>Number of page indices.</summary>
    public int Count => Handle.Count;

    /// <summary>The blittable reference for plans.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public PageListHandle Handle
    {
        get
        {
            ulong block = Volatile.Read(ref _block);
            ObjectDisposedException.ThrowIf(block == 0, this);
            return new PageListHandle(block);
        }
    }

    /// <summary>The page indices.</summary>
    public unsafe ReadOnlySpan<int> Items => new(Handle.Items, Handle.Count);

    /// <summary>Copies <paramref name="pages"/> into a new list.</summary>
    /// <exception cref="PlanException">A page index is negative; the message names it.</exception>
    public static PageList Create(ReadOnlySpan<int> pages) => new(Rent(pages));

    /// <inheritdoc/>
    public void Dispose() => NativeBlock.Release(Interlocked.Exchange(ref _block, 0));

    internal static unsafe ulong Rent(ReadOnlySpan<int> pages)
    {
        (int minimum, int maximum) = pages.IsEmpty ? (0, -1) : MinMax(pages);
        if (minimum < 0)
            ThrowHelper.ThrowNegativePage(minimum, pages.IndexOf(minimum));
        ulong block = NativeBlock.Rent(pages.Length, sizeof(int), out void* items);
        // Safe: the block was rented for pages.Length items.
        pages.CopyTo(new Span<int>(items, pages.Length));
        NativeBlock.SetRange(block, minimum, maximum);
        return block;
    }

    /// <summary>Smallest and largest of at least one value, a vector at a time: this pass is on every paged submission.</summary>
    private static (int Minimum, int Maximum) MinMax(ReadOnlySpan<int> values)
    {
        int minimum = values[0], maximum = values[0];
        ReadOnlySpan<Vector<int>> vectors = MemoryMarshal.Cast<int, Vector<int>>(values);
        if (!vectors.IsEmpty)
        {
            Vector<int> low = vectors[0], high = vectors[0];
            foreach (Vector<int> vector in vectors)
            {
                low = Vector.Min(low, vector);
                high = Vector.Max(high, vector);
            }

            for (int i = 0; i < Vector<int>.Count; i++)
            {
                minimum = Math.Min(minimum, low[i]);
                maximum = Math.Max(maximum, high[i]);
            }
        }

        foreach (int value in values[(vectors.Length * Vector<int>.Count)..])
        {
            minimum = Math.Min(minimum, value);
            maximum = Math.Max(maximum, value);
        }

        return (minimum, maximum);
    }
}
