using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// Both halves of a dispatch in one kernel, for a caller who has nothing to do in between. Groups that receive wait for those that still send, so all of
/// the grid run at once: the launch is cooperative.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TRows">How rows are made.</typeparam>
public static class FusedDispatch<TRouting, TRows>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TRows : unmanaged, IDispatchRows<TRouting>
{
    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int expertsPerRank, int copies, int groupThreads) => int.Max(
        DispatchSend<TRouting, TRows, NoTrace>.SharedBytes(ranks, copies), DispatchReceive<TRouting, ManyTokens, NoTrace>.SharedBytes(ranks, expertsPerRank, groupThreads));

    /// <summary>The kernel.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ArrayView<int> shared = ILGPU.SharedMemory.GetDynamic<int>();
        DispatchSend<TRouting, TRows, NoTrace>.Send(arguments, shared);
        Group.Barrier();
        DispatchReceive<TRouting, ManyTokens, NoTrace>.Receive(arguments, shared);
    }
}
