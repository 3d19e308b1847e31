namespace Garden.Perf.Fabric;

/// <summary>What is written: operations of one write, or of scattered pages of which no two become one write.</summary>
internal sealed class Workload : IDisposable
{
    /// <summary>Bytes of each side's memory that workloads write from and to.</summary>
    public const long AreaBytes = 64L << 20;

    private const int MostSlots = 64;
    private const long Alignment = 64;

    // Odd and different, so that both are permutations of a power of two and neighbours of one are none of the other.
    private const int SourceStep = 389, DestinationStep = 771;

    private readonly int[] _sourcePages;
    private readonly int[] _destinationPages;

    /// <summary>Operations of <paramref name="pages"/> pages each, or of one write when it is 0.</summary>
    public Workload(long bytes, int pages, int depth)
    {
        Bytes = bytes;
        Pages = pages;
        Depth = depth;
        Stride = (bytes + Alignment - 1) / Alignment * Alignment;
        Slots = pages == 0 ? (int)Math.Clamp(AreaBytes / Stride, 1, MostSlots) : 1;
        _sourcePages = [.. Enumerable.Range(0, pages).Select(i => (int)((long)i * SourceStep % pages))];
        _destinationPages = [.. Enumerable.Range(0, pages).Select(i => (int)((long)i * DestinationStep % pages))];
        SourceList = PageList.Create(_sourcePages);
        DestinationList = PageList.Create(_destinationPages);
    }

    /// <summary>Bytes of a write.</summary>
    public long Bytes { get; }

    /// <summary>Pages of an operation, 0 for single writes.</summary>
    public int Pages { get; }

    /// <summary>Writes under way at once.</summary>
    public int Depth { get; }

    /// <summary>Bytes from one page or slot to the next.</summary>
    public long Stride { get; }

    /// <summary>Places that single writes take in turn.</summary>
    public int Slots { get; }

    public PageList SourceList { get; }

    public PageList DestinationList { get; }

    public int WritesPerOperation => Math.Max(1, Pages);

    public string Kind => Pages == 0 ? "single" : "paged";

    /// <summary>Operations of which all together write every place once.</summary>
    public int Cycle => Slots;

    /// <summary>Goes to the place after one, so that a loop over writes divides nothing.</summary>
    public void Advance(ref WritePlace place)
    {
        if (Pages != 0)
            place.Page = place.Page + 1 == Pages ? 0 : place.Page + 1;
        else
            place.Slot = Next(place.Slot);
    }

    /// <summary>The slot after one.</summary>
    public int Next(int slot) => slot + 1 == Slots ? 0 : slot + 1;

    /// <summary>Where a write reads.</summary>
    public long SourceOffset(WritePlace place) => Pages == 0 ? place.Slot * Stride : _sourcePages[place.Page] * Stride;

    /// <summary>Where it writes.</summary>
    public long DestinationOffset(WritePlace place) => Pages == 0 ? place.Slot * Stride : _destinationPages[place.Page] * Stride;

    public void Dispose()
    {
        SourceList.Dispose();
        DestinationList.Dispose();
    }
}
