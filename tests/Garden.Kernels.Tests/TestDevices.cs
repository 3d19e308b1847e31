using Garden.Testing;

[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Garden.Kernels.Tests;

/// <summary>The devices every test class runs on, opened once.</summary>
public static class TestDevices
{
    private static readonly Lazy<CpuDevice> s_cpu = new(static () => KernelDevice.OpenCpu(multiprocessors: 2, threadsPerGroup: 8));
    private static readonly Lazy<CudaDevice> s_cuda = new(static () => KernelDevice.OpenCuda());

    public static CpuDevice Cpu => s_cpu.Value;

    /// <summary>CUDA device 0; the test is skipped where there is none.</summary>
    public static CudaDevice Cuda
    {
        get
        {
            Backends.SkipUnless("cuda", CudaDriver.Missing);
            return s_cuda.Value;
        }
    }

    /// <summary>Two CUDA devices; the test is skipped where there are fewer.</summary>
    public static (CudaDevice First, CudaDevice Second) CudaPair
    {
        get
        {
            CudaDevice first = Cuda;
            Backends.SkipUnless("cuda2", CudaDriver.DeviceCount < 2 ? $"this machine has {CudaDriver.DeviceCount} CUDA device; two are needed" : null);
            return (first, KernelDevice.OpenCuda(1));
        }
    }
}
