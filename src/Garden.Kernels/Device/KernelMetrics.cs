using System.Diagnostics.Metrics;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Instruments of the devices, on a meter of the same name as the engine's.</summary>
internal static class KernelMetrics
{
    private static readonly Meter s_meter = new(GardenMetrics.Name);

    private static readonly Counter<long> s_failures =
        s_meter.CreateCounter<long>("garden.kernels.release_failures", "{call}", "Calls of the CUDA driver that failed to free, unpin or close something: it is lost until the process ends.");

    /// <summary>Counts a release that failed: nothing else can be done about it.</summary>
    public static void CountRelease(CUresult result)
    {
        // A driver that has shut down has taken everything back itself.
        if (result is not (CUresult.CUDA_SUCCESS or CUresult.CUDA_ERROR_DEINITIALIZED or CUresult.CUDA_ERROR_NOT_INITIALIZED))
            s_failures.Add(1, new KeyValuePair<string, object?>("garden.cuda.code", (int)result));
    }
}
