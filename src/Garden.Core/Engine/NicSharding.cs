namespace Garden;

/// <summary>
/// The sharding policies as pure functions: how two devices with any numbers of NICs make lanes, how a range is cut over
/// lanes, and which lane takes what. Shares tile a range exactly, for every length and every number of lanes.
/// </summary>
public static class NicSharding
{
    /// <summary>Lanes between a device with <paramref name="localNics"/> NICs and one with <paramref name="remoteNics"/>: every NIC of both sides is on at least one.</summary>
    public static int LaneCount(int localNics, int remoteNics)
    {
        RequireNics(localNics);
        RequireNics(remoteNics);
        return Math.Max(localNics, remoteNics);
    }

    /// <summary>The NIC pair of a lane.</summary>
    public static (int LocalNic, int RemoteNic) Lane(int lane, int localNics, int remoteNics)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lane);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(lane, LaneCount(localNics, remoteNics));
        return (lane % localNics, lane % remoteNics);
    }

    /// <summary>
    /// The share of lane <paramref name="index"/> when <paramref name="length"/> bytes are cut over
    /// <paramref name="shares"/> lanes. Borders fall on multiples of 64 KiB (see <see cref="TransferUnits"/>), so a short range
    /// leaves trailing shares empty.
    /// </summary>
    public static (long Offset, long Length) Share(long length, int shares, int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shares);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, shares);
        long share = FirstShare(length, shares);
        // share × index may pass the end, but not 2⁶³: share ≤ length / shares + 64 KiB.
        long start = Math.Min(length, share * index);
        return (start, Math.Min(share, length - start));
    }

    /// <summary>The first share of what is left: cutting it off and asking again with one share less tiles the range.</summary>
    public static long FirstShare(long length, int shares)
    {
        long even = (length / shares) + (length % shares == 0 ? 0 : 1);
        long rounded = (even + TransferUnits.BytesPerUnit - 1) & ~((long)TransferUnits.BytesPerUnit - 1);
        return Math.Min(length, rounded);
    }

    /// <summary>The lane a peer's writes keep under <see cref="LaneRouting.ByPeer"/>.</summary>
    public static int LaneOfPeer(int peer, int lanes) => (int)((uint)peer % (uint)lanes);

    /// <summary>The usable lane with most free credits, −1 when none has any. Ties go to the lowest lane.</summary>
    public static int LaneWithMostCredits(ReadOnlySpan<int> credits)
    {
        int best = -1, most = 0;
        for (int i = 0; i < credits.Length; i++)
        {
            if (credits[i] > most)
            {
                most = credits[i];
                best = i;
            }
        }

        return best;
    }

    /// <summary>
    /// Cuts the piece that one write may carry off the front of <paramref name="descriptor"/>, and leaves the rest in it.
    /// True when something is left.
    /// </summary>
    /// <remarks>Pieces end on multiples of 64 KiB of the descriptor, so each carries at least one unit and the units add up.</remarks>
    public static bool TakePiece(ref WriteDescriptor descriptor, long maxBytes, out WriteDescriptor piece)
    {
        piece = descriptor;
        long most = Math.Min(maxBytes, TransferUnits.MaxBytesPerWrite) & ~((long)TransferUnits.BytesPerUnit - 1);
        bool whole = descriptor.Length <= maxBytes && (descriptor.Units <= TransferUnits.MaxPerWrite || descriptor.Immediate.IsNumber);
        // A user's number is counted once, so its write is never cut; the submission has checked the provider's limit.
        if (whole || descriptor.Immediate.IsNumber || descriptor.Length <= most)
            return false;
        piece.Length = most;
        piece.Units = (uint)(most / TransferUnits.BytesPerUnit);
        descriptor.SourceOffset += most;
        descriptor.DestinationOffset += most;
        descriptor.Length -= most;
        descriptor.Units -= piece.Units;
        return true;
    }

    private static void RequireNics(int nics)
    {
        if (nics is < 1 or > NetAddress.MaxNics)
            throw new ArgumentOutOfRangeException(nameof(nics), nics, $"A device has 1 to {NetAddress.MaxNics} NICs.");
    }
}
