using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels.Experts;

/// <summary>What kernels stamp between their steps.</summary>
public interface IExpertTrace
{
    /// <summary>All threads come here with the number of the kernel's <see cref="ExpertPhase"/> and of the step that has ended.</summary>
    static abstract void Mark(ExpertKernelArgs arguments, int phase, int step);
}

/// <summary>No timeline: nothing is left of it in a kernel.</summary>
public readonly struct NoTrace : IExpertTrace
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mark(ExpertKernelArgs arguments, int phase, int step)
    {
    }
}

/// <summary>
/// A timeline in device memory: [phase][step][group] cycles of the multiprocessor's clock, stamped by the first thread of each group.
/// Steps of one group can be told apart; those of different groups have clocks of their own.
/// </summary>
public readonly struct ClockTrace : IExpertTrace
{
    /// <summary>Steps of a kernel, at most.</summary>
    public const int Steps = 8;

    /// <summary>Groups that have a place; those behind stamp nothing.</summary>
    public const int Groups = 1024;

    /// <summary>Bytes of the timeline.</summary>
    public const int SizeInBytes = sizeof(ulong) * ExpertKernelArgs.Phases * Steps * Groups;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mark(ExpertKernelArgs arguments, int phase, int step)
    {
        if (Group.IdxX != 0 || Grid.IdxX >= Groups || !CudaAsm.IsSupported)
            return;
        CudaAsm.Emit("mov.u64 %0, %%clock64;", out ulong time);
        GlobalMemory.Store8(arguments.Trace + (ulong)(sizeof(ulong) * ((((phase * Steps) + step) * Groups) + Grid.IdxX)), time);
    }
}
