using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>The launch shapes of a rank's kernels, fixed when it is made.</summary>
internal readonly record struct ExpertShapes(bool Few, int ResultParts, LaunchShape DispatchSend, LaunchShape DispatchReceive, LaunchShape CombineSend, LaunchShape CombineReceive)
{
    internal const int GpuThreads = 512;
    private const int MostParts = 2;
    private const int WideThreads = 1024;

    /// <summary>Registers a thread may have for <see cref="WideThreads"/> of them.</summary>
    private const int WideRegisters = 64;

    /// <summary>From here on one wide group of a sender on each multiprocessor: every group counts all tokens.</summary>
    private const int ManyTokens = 1024;

    public static ExpertShapes Of<TRouting>(ExpertKernels<TRouting> kernels, in ExpertGroup group, ExpertRankOptions options, int copies)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int ranks = group.Ranks, experts = ExpertPlacement.ExpertsPerRank<TRouting>(ranks);
        bool few = IsFew<TRouting>(group, options);
        long rows = (long)ranks * group.Tokens;
        // A group a token, or a row received: more find nothing to do.
        LaunchShape send = Shape(kernels.DispatchSend(false, few), group.Tokens, options, few, group.Tokens >= ManyTokens);
        // One shape for both kernels that send: where they differ, the smaller one, which has room for the registers of either.
        if (TRouting.Element == ExpertElement.Float8E4M3)
            send = Smaller(send, Shape(kernels.DispatchSend(true, few), group.Tokens, options, few, group.Tokens >= ManyTokens));
        LaunchShape receive = Shape(kernels.DispatchReceive(few), rows, options, few, false);
        LaunchShape results = Shape(kernels.CombineSend(few, options.Output), rows, options, few, false);
        // A row of few is two groups' work, where the device has room for them.
        int parts = few && options.Output != ExpertOutput.RankRows && options.MaxGroups == 0 && rows * MostParts <= kernels.Device.Multiprocessors ? MostParts : 1;
        LaunchShape sums = Shape(kernels.CombineReceive, group.Tokens, options, few, false);
        return new ExpertShapes(
            few,
            parts,
            send with
            {
                SharedBytes = few
                    ? DispatchSendFew<TRouting, CopiedRows<TRouting>, NoTrace>.SharedBytes(ranks, group.Tokens, send.Groups)
                    : DispatchSend<TRouting, CopiedRows<TRouting>, NoTrace>.SharedBytes(ranks, copies),
            },
            receive with { SharedBytes = DispatchReceive<TRouting, ManyTokens, NoTrace>.SharedBytes(ranks, experts, receive.GroupThreads) },
            results with { Groups = results.Groups * parts, SharedBytes = CombineSend<TRouting, ManyTokens, NoTrace>.SharedBytes(ranks, results.GroupThreads) },
            sums with { SharedBytes = CombineReceive<TRouting, NoTrace>.SharedBytes(ranks, sums.GroupThreads) });
    }

    /// <summary>True when rounds have so few tokens that steps cost more than bytes.</summary>
    private static bool IsFew<TRouting>(in ExpertGroup group, ExpertRankOptions options)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        !options.AlwaysMany && !TRouting.ExactCombine && group.Tokens <= DispatchSendFew<TRouting, CopiedRows<TRouting>, NoTrace>.Tokens;

    private static LaunchShape Smaller(LaunchShape left, LaunchShape right) =>
        left with { Groups = Math.Min(left.Groups, right.Groups), GroupThreads = Math.Min(left.GroupThreads, right.GroupThreads) };

    private static LaunchShape Shape(DeviceKernel<ExpertKernelArgs> kernel, long most, ExpertRankOptions options, bool few, bool oneEach)
    {
        KernelDevice device = kernel.Device;
        int limit = oneEach ? device.Multiprocessors : options.MaxGroups;
        if (options.MaxGroups != 0)
            limit = Math.Min(limit, options.MaxGroups);
        // Where there is one group for a multiprocessor at most, it is a wide one: only loads on their way keep the memory busy. With few tokens barriers
        // cost more, and the next kernel's groups are to find room.
        bool wide = device is CudaDevice && !few && kernel.Resources.Registers <= WideRegisters && (most <= device.Multiprocessors || (limit != 0 && limit <= device.Multiprocessors));
        int threads = options.GroupThreads != 0 ? options.GroupThreads : Math.Min(device.MaxThreadsPerGroup, wide ? WideThreads : GpuThreads);
        LaunchShape shape = kernel.ShapeFor(most * threads, threads) with { OverlapsPrevious = device is CudaDevice { ComputeCapability.Major: >= 9 } };
        return limit == 0 ? shape : shape with { Groups = Math.Min(shape.Groups, limit) };
    }
}
