using System.Runtime.CompilerServices;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels;

/// <summary>The device's clock, for deadlines of kernels that wait. The CPU accelerator has none: waits there count looks.</summary>
public static class DeviceClock
{
    /// <summary>Nanoseconds of a clock that all groups of the device share; 0 on the CPU accelerator.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Nanoseconds()
    {
        if (!CudaAsm.IsSupported)
            return 0;
        CudaAsm.Emit("mov.u64 %0, %%globaltimer;", out ulong time);
        return time;
    }
}
