namespace Garden;

/// <summary>
/// Collects the ranges of a plan while it is submitted and refuses those that lie outside their regions. Nothing has been
/// posted when it throws.
/// </summary>
public ref struct PlanValidator
{
    private const int NoPeer = -2;
    private readonly RegionTable _regions;

    internal PlanValidator(RegionTable regions)
    {
        _regions = regions;
        Peer = NoPeer;
        Device = -1;
    }

    /// <summary>The one peer all destinations belong to, −1 when there are several, −2 when there is none.</summary>
    internal int Peer { get; private set; }

    /// <summary>The device whose worker runs the plan, −1 when no region says.</summary>
    internal int Device { get; private set; }

    /// <summary>A bit per source region, folded to 12: lets an unregistration see which transfers it must wait for.</summary>
    internal uint SourceMask { get; private set; }

    internal static uint MaskOf(RegionHandle region) => 1u << (region.Index % 12);

    /// <summary>Requires [offset, offset + length) to lie inside a live local region.</summary>
    /// <exception cref="PlanException">It does not.</exception>
    public void RequireSource(RegionHandle region, long offset, long length) =>
        RequireRange("source", region, OpenSource(region), offset, length);

    /// <summary>Requires [offset, offset + length) to lie inside a live remote region.</summary>
    /// <exception cref="PlanException">It does not.</exception>
    public void RequireDestination(RegionHandle region, long offset, long length) =>
        RequireRange("destination", region, OpenDestination(region), offset, length);

    /// <summary>Requires all listed pages to lie inside a live local region.</summary>
    /// <exception cref="PlanException">One does not; the message names it.</exception>
    public void RequireSourcePages(RegionHandle region, PageListHandle pages, int first, int count, long offset, long stride, long length) =>
        RequirePages("source", region, OpenSource(region), pages, first, count, offset, stride, length);

    /// <summary>Requires all listed pages to lie inside a live remote region.</summary>
    /// <exception cref="PlanException">One does not; the message names it.</exception>
    public void RequireDestinationPages(RegionHandle region, PageListHandle pages, int first, int count, long offset, long stride, long length) =>
        RequirePages("destination", region, OpenDestination(region), pages, first, count, offset, stride, length);

    /// <summary>Requires an immediate whose unit bits are clear; they belong to the engine.</summary>
    /// <exception cref="PlanException">They are not.</exception>
    public readonly void RequireImmediate(Immediate immediate)
    {
        if (immediate.IsCounter && immediate.Units != 0)
            ThrowHelper.ThrowImmediate(immediate);
    }

    /// <summary>Requires a value of 0 or more.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public readonly void RequireNotNegative(string name, long value)
    {
        if (value < 0)
            ThrowHelper.ThrowNegative(name, value);
    }

    private static void RequireRange(string side, RegionHandle region, long available, long offset, long length)
    {
        if (offset < 0 || length < 0 || offset > available - length)
            ThrowHelper.ThrowPlanRange(side, region, offset, length, available);
    }

    private static void RequirePages(
        string side, RegionHandle region, long available, PageListHandle pages, int first, int count, long offset, long stride, long length)
    {
        if (!pages.IsLive && (count != 0 || pages.Count != 0))
            ThrowHelper.ThrowListDisposed();
        if (first < 0 || count < 0 || first > pages.Count - count)
            ThrowHelper.ThrowPageRange(side, first, count, pages.Count);
        if (stride < 0 || offset < 0)
            ThrowHelper.ThrowStride(side, stride, offset);
        if (count == 0)
            return;
        // The whole list's largest index is known; only when it is out of bounds is the part that is used looked at.
        if (!Fits(pages.Maximum, available, offset, stride, length))
        {
            int largest = LargestIndex(pages, first, count);
            if (!Fits(largest, available, offset, stride, length))
                ThrowHelper.ThrowPageIndex(side, largest, region, offset, stride, length, available);
        }
    }

    private static bool Fits(int page, long available, long offset, long stride, long length) =>
        offset + ((Int128)page * stride) + length <= available;

    private static unsafe int LargestIndex(PageListHandle pages, int first, int count)
    {
        int largest = -1;
        // Safe: the caller has checked first + count against the list.
        foreach (int page in new ReadOnlySpan<int>(pages.Items + first, count))
            largest = Math.Max(largest, page);
        return largest;
    }

    private unsafe long OpenSource(RegionHandle region)
    {
        RegionEntry* entry = _regions.Find(region);
        if (entry is null || entry->State != RegionState.Local)
            ThrowHelper.ThrowStaleRegion("source", region);
        SourceMask |= MaskOf(region);
        Join(entry->Device);
        return entry->Length;
    }

    private unsafe long OpenDestination(RegionHandle region)
    {
        RegionEntry* entry = _regions.Find(region);
        if (entry is null || entry->State != RegionState.Remote)
            ThrowHelper.ThrowStaleRegion("destination", region);
        Peer = Peer == NoPeer || Peer == entry->Peer ? entry->Peer : -1;
        Join(entry->Device);
        return entry->Length;
    }

    private void Join(int device)
    {
        if (Device >= 0 && Device != device)
            throw new PlanException($"The plan mixes regions of device {Device} and device {device}; register the source with the device that is connected to the peer.");
        Device = device;
    }
}
