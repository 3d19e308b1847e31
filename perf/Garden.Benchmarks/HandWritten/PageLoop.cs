using System.Runtime.CompilerServices;

namespace Garden.Benchmarks.HandWritten;

/// <summary>The inner loop all page-wise loops share: pages of one length, neighbours on both sides in one write.</summary>
internal static unsafe class PageLoop
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Run(
        in HandWrittenInput input, long source, long destination, long stride, long length, uint units, ref int page, Span<WriteDescriptor> descriptors)
    {
        int written = 0, pages = input.Pages, i = page;
        int mostPages = (int)(TransferUnits.MaxPerWrite / units);
        // Safe: both lists hold input.Pages entries.
        int* from = input.SourcePages, to = input.DestinationPages;
        while (written < descriptors.Length && i < pages)
        {
            int joined = 1;
            // Pages touch only where a page is all there is between two page numbers.
            if (stride == length)
            {
                while (joined < mostPages && i + joined < pages && from[i + joined] == from[i] + joined && to[i + joined] == to[i] + joined)
                    joined++;
            }

            descriptors[written++] = WriteDescriptor.Create(
                default, source + (from[i] * stride), default, destination + (to[i] * stride), joined * length, input.Immediate, (uint)joined * units);
            i += joined;
        }

        page = i;
        return written;
    }
}
