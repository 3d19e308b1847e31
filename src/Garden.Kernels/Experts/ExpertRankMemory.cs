using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>A rank's own memory: what peers write into, what its kernels keep between one another, and what they tell the host.</summary>
internal sealed class ExpertRankMemory : IDisposable
{
    private ExpertRankMemory(KernelDevice device, long dispatch, long combine, in ExpertGroup group, int topK, long dispatchStaging, bool traced)
    {
        int ranks = group.Ranks;
        long choices = (long)group.Tokens * topK;
        CountersOffset = dispatch;
        Window = device.Allocate(dispatch + ExpertBuffers.CounterBytes(ranks));
        Combine = device.Allocate(combine);
        Peers = device.Allocate((long)ranks * ExpertPeerEntry.SizeInBytes);
        State = device.Allocate(ExpertRoundState.SizeInBytes);
        Verdicts = device.Allocate(sizeof(uint) * ExpertBuffers.Parities * ExpertKernelArgs.Phases * (long)ranks);
        SourceRanks = device.Allocate(choices * sizeof(int));
        Sources = device.Allocate(choices * sizeof(int));
        Received = device.Allocate(3L * ranks * sizeof(int));
        Inverse = device.Allocate(ranks * choices * sizeof(int));
        InverseWeights = device.Allocate(ranks * choices * sizeof(float));
        DispatchStaging = dispatchStaging == 0 ? null : device.Allocate(dispatchStaging);
        Trace = traced ? device.Allocate(ClockTrace.SizeInBytes) : null;
        Mapped = device.AllocateMapped(ExpertRoundReport.SizeInBytes + (ranks * (long)((sizeof(uint) * ExpertKernelArgs.Phases) + ExpertPost.SizeInBytes + ExpertPeerCounters.SizeInBytes)));
        // Counters begin at 0, which stands for every round before the first; what has no initial value keeps its garbage.
        foreach (DeviceBuffer zero in new[] { Peers, State, Verdicts, Received })
            device.DefaultStream.Fill(zero.Address, 0, zero.Length);
        device.DefaultStream.Fill(Window.Address + (nint)dispatch, 0, ExpertBuffers.CounterBytes(ranks));
        device.DefaultStream.Synchronize();
    }

    public DeviceBuffer Window { get; }

    public long CountersOffset { get; }

    public DeviceBuffer Combine { get; }

    public DeviceBuffer Peers { get; }

    public DeviceBuffer State { get; }

    public DeviceBuffer Verdicts { get; }

    public DeviceBuffer SourceRanks { get; }

    public DeviceBuffer Sources { get; }

    public DeviceBuffer Received { get; }

    public DeviceBuffer Inverse { get; }

    public DeviceBuffer InverseWeights { get; }

    /// <summary>What the network reads dispatched rows from; null on one node.</summary>
    public DeviceBuffer? DispatchStaging { get; }

    public DeviceBuffer? Trace { get; }

    public long Bytes => Buffers.Sum(static buffer => buffer.Length);

    /// <summary>The report, [phase][rank] missing words, [rank] posts, [rank] counters of peers on other nodes.</summary>
    public MappedBuffer Mapped { get; }

    public static ExpertRankMemory Allocate<TRouting>(KernelDevice device, in ExpertGroup group, bool traced)
        where TRouting : unmanaged, IExpertRouting<TRouting> => new(
            device,
            ExpertBuffers.DispatchBytes<TRouting>(group.Ranks, group.RanksPerNode, group.Tokens),
            ExpertBuffers.CombineBytes<TRouting>(group.Ranks, group.Tokens),
            group,
            TRouting.TopK,
            ExpertBuffers.DispatchStagingBytes<TRouting>(group.Ranks, group.RanksPerNode, group.Tokens),
            traced);

    public static long MissingOffset => ExpertRoundReport.SizeInBytes;

    public static long PostsOffset(int ranks) => MissingOffset + ((long)ranks * sizeof(uint) * ExpertKernelArgs.Phases);

    public static long RemoteCountersOffset(int ranks) => PostsOffset(ranks) + ((long)ranks * ExpertPost.SizeInBytes);

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in Buffers)
            buffer.Dispose();
        Mapped.Dispose();
    }

    private IEnumerable<DeviceBuffer> Buffers =>
        new[] { Window, Combine, Peers, State, Verdicts, SourceRanks, Sources, Received, Inverse, InverseWeights, DispatchStaging, Trace }
            .OfType<DeviceBuffer>();
}
