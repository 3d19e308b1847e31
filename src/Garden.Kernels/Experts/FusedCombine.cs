using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Both halves of a combine in one kernel, as <see cref="FusedDispatch{TRouting, TRows}"/>.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
public static class FusedCombine<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int groupThreads) =>
        int.Max(CombineSend<TRouting, ManyTokens, NoTrace>.SharedBytes(ranks, groupThreads), CombineReceive<TRouting, NoTrace>.SharedBytes(ranks, groupThreads));

    /// <summary>The kernel.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ArrayView<int> shared = ILGPU.SharedMemory.GetDynamic<int>();
        CombineSend<TRouting, ManyTokens, NoTrace>.Send(arguments, shared);
        Group.Barrier();
        CombineReceive<TRouting, NoTrace>.Receive(arguments, shared);
    }
}
