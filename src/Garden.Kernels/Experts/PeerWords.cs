using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>What every kernel keeps in shared memory about the ranks, behind <see cref="Own"/> words of its own: [rank] kind, [rank] address of its counters (two words).</summary>
internal static unsafe class PeerWords
{
    /// <summary>Words of the kernel's own; <see cref="ExpertWait.IsLastGroup"/> has the first.</summary>
    public const int Own = 4;

    public const int Masked = 0;
    public const int Mapped = 1;
    public const int Staged = 2;

    /// <summary>The words behind these.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int End(int ranks) => Own + (3 * ranks);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Kind(ArrayView<int> shared, int rank) => shared[Own + rank];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Outgoing(ExpertKernelArgs arguments, ArrayView<int> shared, int rank) => SharedWords.Address(shared, Own + arguments.Ranks + (2 * rank));

    /// <summary>Keeps what a rank's entry says, read once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Keep(ExpertKernelArgs arguments, ArrayView<int> shared, int rank, uint masked, uint staged, ulong outgoing)
    {
        int kind = masked != 0 ? Masked : staged != 0 ? Staged : Mapped;
        shared[Own + rank] = kind;
        SharedWords.SetAddress(shared, Own + arguments.Ranks + (2 * rank), outgoing);
        return kind;
    }
}
