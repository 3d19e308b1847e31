namespace Garden.Kernels;

/// <summary>What pins and unpins host memory: the driver, which pins whole pages and each only once, for all contexts.</summary>
internal interface IHostPinner
{
    /// <summary>Bytes of a page.</summary>
    nint PageBytes { get; }

    /// <summary>Pins pages; false when some of them are pinned already, and then none is.</summary>
    bool TryPin(nint start, nint bytes);

    /// <summary>Unpins what was pinned by one call, by its start.</summary>
    void Unpin(nint start);

    /// <summary>Where the pinned range ends that a page lies in, as far as that is known: the page's end or later.</summary>
    nint EndOfPinned(nint page);
}

/// <summary>
/// Ranges of host memory that are pinned as long as somebody uses them: long runs with one call each, and shared where ranges overlap.
/// </summary>
/// <remarks>
/// What was pinned with one call can only be unpinned as a whole. So pages that a range has for itself are pinned together, and those
/// at its ends, which other memory may share, alone: a neighbour does not keep a range pinned that may be freed. Not thread-safe.
/// </remarks>
internal sealed class HostPins(IHostPinner pinner)
{
    /// <summary>By start; they do not overlap.</summary>
    private readonly List<HostPin> _pins = [];

    /// <summary>How many there are.</summary>
    public int Count => _pins.Count;

    /// <summary>Pins a range, as far as nobody has, and counts as one user of it.</summary>
    /// <returns>What to give back to <see cref="Release"/>. What somebody else has pinned is not in it: it stays pinned as long as they leave it.</returns>
    public List<HostPin> Hold(nint address, nint bytes)
    {
        var held = new List<HostPin>();
        nint page = pinner.PageBytes;
        nint first = address / page * page, end = (address + bytes + page - 1) / page * page;
        nint inner = first == address ? first : first + page, innerEnd = address + bytes == end ? end : end - page;
        try
        {
            if (inner >= innerEnd)
            {
                // No page, or at most the ends.
                for (nint at = first; at < end; at += page)
                    Hold(at, at + page, held);
                return held;
            }

            if (first < inner)
                Hold(first, inner, held);
            Hold(inner, innerEnd, held);
            if (innerEnd < end)
                Hold(innerEnd, end, held);
            return held;
        }
        catch
        {
            Release(held);
            throw;
        }
    }

    /// <summary>Ends one use, and unpins what nobody else uses.</summary>
    public void Release(List<HostPin> held)
    {
        foreach (HostPin pin in held)
        {
            if (--pin.Users != 0)
                continue;
            _pins.RemoveAt(IndexOf(pin.Start));
            pinner.Unpin(pin.Start);
        }

        held.Clear();
    }

    /// <summary>Holds the pages of [start, end): those that are pinned here already, and new pins for the gaps between them.</summary>
    private void Hold(nint start, nint end, List<HostPin> held)
    {
        // Pages from start to here were refused as a whole: somebody else has pinned some of them.
        nint refused = start;
        while (start < end)
        {
            int next = IndexOf(start);
            if (next < _pins.Count && _pins[next].Start <= start)
            {
                _pins[next].Users++;
                held.Add(_pins[next]);
                start = _pins[next].End;
                continue;
            }

            nint length = Pin(start, next < _pins.Count ? Math.Min(end, _pins[next].Start) : end, ref refused);
            if (length == 0)
            {
                nint page = pinner.PageBytes;
                start += Math.Clamp((pinner.EndOfPinned(start) - start) / page * page, page, end - start);
                continue;
            }

            var added = new HostPin(start, start + length) { Users = 1 };
            _pins.Insert(next, added);
            held.Add(added);
            start += length;
        }
    }

    /// <summary>Pins as much from a page on as one call takes; 0 when somebody else has pinned that page. Where theirs begin is found by halves.</summary>
    private nint Pin(nint start, nint end, ref nint refused)
    {
        nint page = pinner.PageBytes, bytes = refused > start ? Half(refused - start) : end - start;
        while (!pinner.TryPin(start, bytes))
        {
            refused = start + bytes;
            if (bytes == page)
                return 0;
            bytes = Half(bytes);
        }

        return bytes;

        nint Half(nint of) => Math.Max(page, of / 2 / page * page);
    }

    /// <summary>The pin that a page lies in, else the first behind it.</summary>
    private int IndexOf(nint page)
    {
        int low = 0, high = _pins.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_pins[middle].End <= page)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}

/// <summary>Pages [<paramref name="start"/>, <paramref name="end"/>) that one call has pinned.</summary>
internal sealed class HostPin(nint start, nint end)
{
    public nint Start => start;

    public nint End => end;

    public int Users { get; set; }
}
