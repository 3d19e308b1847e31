using ILGPU;
using ILGPU.Runtime;

namespace Garden.Kernels;

/// <summary>A kernel on the CPU accelerator.</summary>
internal sealed class CpuKernel<TArgs> : DeviceKernel<TArgs>
    where TArgs : unmanaged
{
    private readonly Action<KernelConfig, TArgs> _run;

    public CpuKernel(CpuDevice device, string name, Action<TArgs> kernel)
        : base(device, name) => _run = device.Accelerator.LoadStreamKernel(kernel);

    public override KernelResources Resources => new(0, 0, 1);

    public override void Launch(DeviceStream stream, in LaunchShape shape, in TArgs arguments)
    {
        if (shape.Groups < 1 || shape.Rows < 1 || shape.GroupThreads < 1 || shape.GroupThreads > Device.MaxThreadsPerGroup)
            throw new ArgumentOutOfRangeException(nameof(shape), $"{shape} is not one {Name} runs with: 1 or more groups and rows, 1 to {Device.MaxThreadsPerGroup} threads a group.");
        if (shape.Cooperative && shape.Groups * shape.Rows > Device.Multiprocessors)
            throw new ArgumentOutOfRangeException(nameof(shape), $"{shape} waits across the grid, but only {Device.Multiprocessors} groups run at once on {Device.Name}.");
        Index3D groups = (shape.Groups, shape.Rows, 1), threads = (shape.GroupThreads, 1, 1);
        KernelConfig grid = shape.SharedBytes == 0 ? new(groups, threads) : new(groups, threads, SharedMemoryConfig.RequestDynamic<byte>(shape.SharedBytes));
        TArgs copy = arguments;
        CpuStream.Of(stream, Device).Run(() =>
        {
            _run(grid, copy);
            ((CpuDevice)Device).Accelerator.Synchronize();
        });
    }

    public override LaunchShape ShapeFor(long threads, int threadsPerGroup = 0)
    {
        int group = threadsPerGroup > 0 ? Math.Min(threadsPerGroup, Device.MaxThreadsPerGroup) : Device.MaxThreadsPerGroup;
        return new LaunchShape((int)Math.Clamp((threads + group - 1) / group, 1, Device.Multiprocessors), group);
    }

    protected override void Dispose(bool disposing)
    {
    }
}
