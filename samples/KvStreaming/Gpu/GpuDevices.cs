using System.Diagnostics;
using Garden.Kernels;

namespace KvStreaming;

/// <summary>The devices of a run: two GPUs, one GPU for both sides, or the CPU accelerator once for each.</summary>
internal sealed class GpuDevices : IDisposable
{
    private const long CopyBytes = 256L << 20;
    private const int Rounds = 5;

    private GpuDevices(KernelDevice prefill, KernelDevice decode, string description)
    {
        Prefill = prefill;
        Decode = decode;
        Description = description;
    }

    public KernelDevice Prefill { get; }

    public KernelDevice Decode { get; }

    public string Description { get; }

    public static GpuDevices Open(DeviceName name)
    {
        if (name == DeviceName.Cpu)
        {
            CpuDevice prefill = KernelDevice.OpenCpu(), decode = KernelDevice.OpenCpu();
            return new GpuDevices(prefill, decode, $"prefill and decode on {prefill.Name}: no GPU and no NVLink; figures say nothing about one");
        }

        CudaDevice first = KernelDevice.OpenCuda();
        if (CudaDriver.DeviceCount == 1)
            return new GpuDevices(first, first, $"prefill and decode on the one GPU there is, {first.Name}: copies stay in its memory, no NVLink");
        CudaDevice second = KernelDevice.OpenCuda(1);
        return new GpuDevices(first, second, $"prefill on {first.Name} (0), decode on {second.Name} (1)");
    }

    /// <summary>GB/s of the driver's copy from the prefill to the decode device, the ceiling of what the fabric can do.</summary>
    public double MeasureCopy()
    {
        if (Prefill is CudaDevice first && Decode is CudaDevice second)
            first.EnablePeer(second);
        using DeviceBuffer source = Prefill.Allocate(CopyBytes), destination = Decode.Allocate(CopyBytes);
        double[] rates = new double[Rounds];
        for (int i = 0; i < Rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Prefill.DefaultStream.Copy(destination.Address, source.Address, CopyBytes);
            Prefill.DefaultStream.Synchronize();
            rates[i] = CopyBytes / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
        }

        Array.Sort(rates);
        return rates[Rounds / 2];
    }

    public void Dispose()
    {
        Decode.Dispose();
        if (Decode != Prefill)
            Prefill.Dispose();
    }
}

/// <summary>What the nvlink fabric runs on.</summary>
internal enum DeviceName
{
    /// <summary>NVIDIA GPUs.</summary>
    Cuda,

    /// <summary>ILGPU's CPU accelerator.</summary>
    Cpu,
}
