using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>The kernels of a routing that do both halves of a dispatch or combine.</summary>
internal sealed class FusedKernels<TRouting> : IDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly DeviceKernel<ExpertKernelArgs> _dispatchCopied;
    private readonly DeviceKernel<ExpertKernelArgs>? _dispatchQuantized;

    public FusedKernels(KernelDevice device)
    {
        _dispatchCopied = device.Load<ExpertKernelArgs>(FusedDispatch<TRouting, CopiedRows<TRouting>>.Run);
        if (TRouting.Element == ExpertElement.Float8E4M3)
            _dispatchQuantized = device.Load<ExpertKernelArgs>(FusedDispatch<TRouting, QuantizedRows<TRouting>>.Run);
        Combine = device.Load<ExpertKernelArgs>(FusedCombine<TRouting>.Run);
    }

    public DeviceKernel<ExpertKernelArgs> Combine { get; }

    public DeviceKernel<ExpertKernelArgs> Dispatch(bool quantize) => quantize ? _dispatchQuantized! : _dispatchCopied;

    /// <summary>One group for each multiprocessor at most: all run at once, whatever shared memory they take.</summary>
    public LaunchShape DispatchShape(in ExpertGroup group, ExpertRankOptions options, int copies)
    {
        LaunchShape shape = Shape(_dispatchQuantized ?? _dispatchCopied, group, options);
        return shape with
        {
            SharedBytes = FusedDispatch<TRouting, CopiedRows<TRouting>>.SharedBytes(group.Ranks, ExpertPlacement.ExpertsPerRank<TRouting>(group.Ranks), copies, shape.GroupThreads),
        };
    }

    /// <inheritdoc cref="DispatchShape"/>
    public LaunchShape CombineShape(in ExpertGroup group, ExpertRankOptions options)
    {
        LaunchShape shape = Shape(Combine, group, options);
        return shape with { SharedBytes = FusedCombine<TRouting>.SharedBytes(group.Ranks, shape.GroupThreads) };
    }

    public void Dispose()
    {
        _dispatchCopied.Dispose();
        _dispatchQuantized?.Dispose();
        Combine.Dispose();
    }

    private static LaunchShape Shape(DeviceKernel<ExpertKernelArgs> kernel, in ExpertGroup group, ExpertRankOptions options)
    {
        int threads = options.GroupThreads != 0 ? options.GroupThreads : Math.Min(kernel.Device.MaxThreadsPerGroup, ExpertShapes.GpuThreads);
        long groups = Math.Min((long)group.Ranks * group.Tokens, kernel.Device.Multiprocessors);
        if (options.MaxGroups != 0)
            groups = Math.Min(groups, options.MaxGroups);
        return new LaunchShape((int)groups, threads) { Cooperative = true };
    }
}
