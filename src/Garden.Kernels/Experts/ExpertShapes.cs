using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>The launch shapes of a rank's kernels, fixed when it is made.</summary>
internal readonly record struct ExpertShapes(LaunchShape DispatchSend, LaunchShape DispatchReceive, LaunchShape CombineSend, LaunchShape CombineReceive)
{
    internal const int GpuThreads = 512;
    private const int WideThreads = 1024;

    /// <summary>Registers a thread may have for <see cref="WideThreads"/> of them.</summary>
    private const int WideRegisters = 64;

    /// <summary>From here on one wide group of a sender on each multiprocessor: every group counts all tokens.</summary>
    private const int ManyTokens = 1024;

    public static ExpertShapes Of<TRouting>(ExpertKernels<TRouting> kernels, in ExpertGroup group, ExpertRankOptions options, int copies)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int ranks = group.Ranks, experts = ExpertPlacement.ExpertsPerRank<TRouting>(ranks);
        long rows = (long)ranks * group.Tokens;
        // A group a token, or a row received: more find nothing to do.
        LaunchShape send = Shape(kernels.DispatchSend(TRouting.Element == ExpertElement.Float8E4M3), group.Tokens, options, group.Tokens >= ManyTokens);
        LaunchShape receive = Shape(kernels.DispatchReceive, rows, options, false);
        LaunchShape results = Shape(kernels.CombineSend, rows, options, false);
        LaunchShape sums = Shape(kernels.CombineReceive, group.Tokens, options, false);
        return new ExpertShapes(
            send with { SharedBytes = DispatchSend<TRouting, CopiedRows<TRouting>, NoTrace>.SharedBytes(ranks, copies) },
            receive with { SharedBytes = DispatchReceive<TRouting, NoTrace>.SharedBytes(ranks, experts, receive.GroupThreads) },
            results with { SharedBytes = CombineSend<TRouting, NoTrace>.SharedBytes(ranks, results.GroupThreads) },
            sums with { SharedBytes = CombineReceive<TRouting, NoTrace>.SharedBytes(ranks, sums.GroupThreads) });
    }

    private static LaunchShape Shape(DeviceKernel<ExpertKernelArgs> kernel, long most, ExpertRankOptions options, bool oneEach)
    {
        KernelDevice device = kernel.Device;
        int limit = oneEach ? device.Multiprocessors : options.MaxGroups;
        if (options.MaxGroups != 0)
            limit = Math.Min(limit, options.MaxGroups);
        // Where there is one group for a multiprocessor at most, it is a wide one: only loads on their way keep the memory busy.
        bool wide = device is CudaDevice && kernel.Resources.Registers <= WideRegisters && (most <= device.Multiprocessors || (limit != 0 && limit <= device.Multiprocessors));
        int threads = options.GroupThreads != 0 ? options.GroupThreads : Math.Min(device.MaxThreadsPerGroup, wide ? WideThreads : GpuThreads);
        LaunchShape shape = kernel.ShapeFor(most * threads, threads) with { OverlapsPrevious = device is CudaDevice { ComputeCapability.Major: >= 9 } };
        return limit == 0 ? shape : shape with { Groups = Math.Min(shape.Groups, limit) };
    }
}
