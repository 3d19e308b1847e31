using System.Runtime.CompilerServices;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels;

/// <summary>
/// Kernels of a stream that run into each other on Hopper and newer: one lets the next begin, and that one, launched with
/// <see cref="LaunchShape.OverlapsPrevious"/>, waits by itself before it needs the other's end. Elsewhere kernels follow each other.
/// </summary>
internal static class KernelOverlap
{
    /// <summary>Lets the kernel behind this one begin, once all groups have called this or ended. A group calls it when it waits for nobody any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LetNextBegin()
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("griddepcontrol.launch_dependents;");
    }

    /// <summary>Waits for the end of the kernel in front, and of everything in front of that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AwaitPrevious()
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("griddepcontrol.wait;");
    }
}
