using System.Diagnostics;

namespace Garden.Kernels.Nvlink;

/// <summary>Waits for the copies that a link's writer had on its stream. Its GPU tells of their end by itself, whether its worker polls or not.</summary>
internal static unsafe class LinkDrain
{
    /// <summary>A copy takes milliseconds; a stream that has not passed one by then is held up by a kernel that waits.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    /// <summary>Any thread. The caller has stored what later batches must see, with a full fence behind it.</summary>
    /// <exception cref="FabricException">They did not end in time, or that cannot be seen, so that the memory may not be used again.</exception>
    public static void Await(LinkRow* link)
    {
        SharedMemoryName writer = link->Writer;
        if (!IsDoneWithin(link, Deadline))
            throw new FabricException($"Copies of the nvlink NIC {writer} were still running after {Deadline}: its stream is held up, by a kernel that waits for something. The memory must not be used again.");
    }

    /// <summary>The same for so long; false when they have not ended by then, or nothing tells whether they have.</summary>
    public static bool TryAwait(LinkRow* link, TimeSpan limit)
    {
        try
        {
            return IsDoneWithin(link, limit);
        }
        catch (FabricException)
        {
            return false;
        }
    }

    private static bool IsDoneWithin(LinkRow* link, TimeSpan limit)
    {
        ulong posted = Volatile.Read(ref link->Posted);
        if (posted == 0)
            return true;
        SharedMemoryName writer = link->Writer;
        // Both say "it is gone" only when it is, and throw when that cannot be seen.
        using ProcessWatch? process = writer.Process == Environment.ProcessId ? null : ProcessWatch.TryOpen(writer.Process, writer.Start);
        using SharedMemory? segment = SharedMemory.Open(writer, Segment.Length);
        long started = Stopwatch.GetTimestamp();
        var spin = default(SpinWait);
        while (!IsDone(link, posted, segment, writer, process))
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
                return false;
            spin.SpinOnce(sleep1Threshold: -1);
        }

        return true;
    }

    private static bool IsDone(LinkRow* link, ulong posted, SharedMemory? segment, SharedMemoryName writer, ProcessWatch? process)
    {
        // What was announced and then refused as a whole is taken back.
        posted = Math.Min(posted, Volatile.Read(ref link->Posted));
        if (segment is not null && Volatile.Read(ref ((SegmentHeader*)segment.Pointer)->Done) >= posted)
            return true;
        if (Volatile.Read(ref link->Closed) != 0)
            return true;
        // Its copies end with a process, at the latest.
        return writer.Process != Environment.ProcessId && process is not { IsAlive: true };
    }
}
