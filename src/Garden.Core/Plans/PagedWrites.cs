using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// Pages of one length from listed places to listed places: page i moves from
/// <c>SourceOffset + SourcePages[First + i] × SourceStride</c> to
/// <c>DestinationOffset + DestinationPages[First + i] × DestinationStride</c>. Pages adjacent on both sides become one write
/// unless the immediate is a user's number.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct PagedWrites : ITransferPlan<PagedWrites>
{
    /// <summary>The local region.</summary>
    public RegionHandle Source { get; init; }

    /// <summary>The remote region.</summary>
    public RegionHandle Destination { get; init; }

    /// <summary>What the receiver counts; a user's number is counted once a page.</summary>
    public Immediate Immediate { get; init; }

    /// <summary>Index of the first page in both lists.</summary>
    public int First { get; init; }

    /// <summary>Number of pages.</summary>
    public int Count { get; init; }

    /// <summary>Bytes per page.</summary>
    public long PageLength { get; init; }

    /// <summary>Where the pages lie in the local region.</summary>
    public PageListHandle SourcePages { get; init; }

    /// <summary>Where the pages go in the remote region.</summary>
    public PageListHandle DestinationPages { get; init; }

    /// <summary>Bytes between two consecutive page numbers in the local region.</summary>
    public long SourceStride { get; init; }

    /// <summary>Byte offset of page number 0 in the local region.</summary>
    public long SourceOffset { get; init; }

    /// <summary>Bytes between two consecutive page numbers in the remote region.</summary>
    public long DestinationStride { get; init; }

    /// <summary>Byte offset of page number 0 in the remote region.</summary>
    public long DestinationOffset { get; init; }

    /// <inheritdoc/>
    public static void Validate(in PagedWrites plan, ref PlanValidator validator)
    {
        validator.RequireImmediate(plan.Immediate);
        validator.RequireNotNegative(nameof(PageLength), plan.PageLength);
        validator.RequireSourcePages(plan.Source, plan.SourcePages, plan.First, plan.Count, plan.SourceOffset, plan.SourceStride, plan.PageLength);
        validator.RequireDestinationPages(plan.Destination, plan.DestinationPages, plan.First, plan.Count, plan.DestinationOffset, plan.DestinationStride, plan.PageLength);
    }

    /// <inheritdoc/>
    public static long CountUnits(in PagedWrites plan) =>
        plan.Count * (plan.Immediate.IsNumber ? 1 : TransferUnits.OfRun(plan.PageLength));

    /// <inheritdoc/>
    public static unsafe int Expand(in PagedWrites plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
    {
        int position = (int)cursor.Position;
        int count = plan.Count;
        long length = plan.PageLength;
        if (position >= count || (length == 0 && plan.Immediate.IsNone))
        {
            cursor.IsCompleted = true;
            return 0;
        }

        bool raw = plan.Immediate.IsNumber;
        uint unitsPerPage = raw ? 1 : (uint)TransferUnits.OfRun(length);
        // Coalescing stops where a write would carry more units than its immediate can say.
        int mostPages = raw ? 1 : (int)Math.Max(1, TransferUnits.MaxPerWrite / unitsPerPage);
        // Safe: validation required First + Count to lie inside both lists, and position < Count here.
        int* source = plan.SourcePages.Items + plan.First;
        int* destination = plan.DestinationPages.Items + plan.First;
        long sourceStride = plan.SourceStride, destinationStride = plan.DestinationStride;
        long sourceBase = plan.SourceOffset, destinationBase = plan.DestinationOffset;
        int written = 0;
        ref WriteDescriptor slot = ref MemoryMarshal.GetReference(descriptors);
        long nextSource = sourceBase + (source[position] * sourceStride);
        long nextDestination = destinationBase + (destination[position] * destinationStride);
        while (written < descriptors.Length && position < count)
        {
            long sourceOffset = nextSource, destinationOffset = nextDestination, joined = length;
            int pages = 1;
            // Each page's place is computed once: the look-ahead that ends a write begins the next one.
            while (++position < count)
            {
                nextSource = sourceBase + (source[position] * sourceStride);
                nextDestination = destinationBase + (destination[position] * destinationStride);
                if (nextSource != sourceOffset + joined || nextDestination != destinationOffset + joined || pages >= mostPages)
                    break;
                pages++;
                joined += length;
            }

            Unsafe.Add(ref slot, written++) = WriteDescriptor.Create(
                plan.Source,
                sourceOffset,
                plan.Destination,
                destinationOffset,
                joined,
                plan.Immediate,
                (uint)pages * unitsPerPage);
        }

        cursor.Position = position;
        cursor.IsCompleted = position >= count;
        return written;
    }

    /// <inheritdoc/>
    public static void Acquire(in PagedWrites plan)
    {
        plan.SourcePages.Retain();
        try
        {
            plan.DestinationPages.Retain();
        }
        catch
        {
            plan.SourcePages.Release();
            throw;
        }
    }

    /// <inheritdoc/>
    public static void Release(in PagedWrites plan)
    {
        plan.SourcePages.Release();
        plan.DestinationPages.Release();
    }
}
