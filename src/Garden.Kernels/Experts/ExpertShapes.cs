using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>The launch shapes of a rank's kernels, fixed when it is made.</summary>
internal readonly record struct ExpertShapes(LaunchShape DispatchSend, LaunchShape DispatchReceive, LaunchShape CombineSend, LaunchShape CombineReceive)
{
    private const int GpuThreads = 512;

    public static int DefaultThreads(KernelDevice device) => Math.Min(device.MaxThreadsPerGroup, GpuThreads);

    public static ExpertShapes Of<TRouting>(ExpertKernels<TRouting> kernels, in ExpertGroup group, ExpertRankOptions options, int copies)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int threads = options.GroupThreads == 0 ? DefaultThreads(kernels.Device) : options.GroupThreads;
        int ranks = group.Ranks;
        // A group a token, or a row received: more find nothing to do.
        LaunchShape send = Shape(kernels.DispatchSend(TRouting.Element == ExpertElement.Float8E4M3), group.Tokens, threads, options);
        LaunchShape receive = Shape(kernels.DispatchReceive, (long)ranks * group.Tokens, threads, options);
        LaunchShape results = Shape(kernels.CombineSend, (long)ranks * group.Tokens, threads, options);
        LaunchShape sums = Shape(kernels.CombineReceive, group.Tokens, threads, options);
        return new ExpertShapes(
            send with { SharedBytes = DispatchSend<TRouting, CopiedRows<TRouting>>.SharedBytes(ranks, copies) },
            receive with { SharedBytes = DispatchReceive<TRouting>.SharedBytes(ranks, ExpertPlacement.ExpertsPerRank<TRouting>(ranks), threads) },
            results with { SharedBytes = CombineSend<TRouting>.SharedBytes(ranks, threads) },
            sums with { SharedBytes = CombineReceive<TRouting>.SharedBytes(ranks) });
    }

    private static LaunchShape Shape(DeviceKernel<ExpertKernelArgs> kernel, long most, int threads, ExpertRankOptions options)
    {
        LaunchShape shape = kernel.ShapeFor(most * threads, threads);
        return options.MaxGroups == 0 ? shape : shape with { Groups = Math.Min(shape.Groups, options.MaxGroups) };
    }
}
