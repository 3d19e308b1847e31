using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// What every kernel keeps in shared memory about the round and the ranks: words of its own, [rank] kind, and two words each for [rank] address of its counters,
/// [rank] address of the counters that tell about it, [rank] address of its region. All groups read the same lines, and a line answers one request at a
/// time: a thread a rank reads for its group, nobody else.
/// </summary>
internal static unsafe class PeerWords
{
    /// <summary>Words of the kernel's own; <see cref="ExpertWait.IsLastGroup"/> has the first.</summary>
    public const int Own = 8;

    /// <summary>The round, its tokens, and the area its results come back to, for those kernels that need them.</summary>
    public const int Epoch = 4;
    public const int Tokens = 5;
    public const int Area = 6;

    public const int Masked = 0;
    public const int Mapped = 1;
    public const int Staged = 2;

    /// <summary>The words behind these.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int End(int ranks) => Own + (7 * ranks);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Kind(ArrayView<int> shared, int rank) => shared[Own + rank];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Outgoing(ExpertKernelArgs arguments, ArrayView<int> shared, int rank) => SharedWords.Address(shared, Own + arguments.Ranks + (2 * rank));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Incoming(ExpertKernelArgs arguments, ArrayView<int> shared, int rank) => SharedWords.Address(shared, Own + (3 * arguments.Ranks) + (2 * rank));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Region(ExpertKernelArgs arguments, ArrayView<int> shared, int rank) => SharedWords.Address(shared, Own + (5 * arguments.Ranks) + (2 * rank));

    /// <summary>
    /// Reads the entries of ranks, a thread a rank: the thread that works on the rank before the next barrier. Entries change when no kernel of this rank is on a
    /// stream, so a kernel reads them before it waits for the one in front.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read(ExpertKernelArgs arguments, ArrayView<int> shared, bool results)
    {
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            ulong peer = ExpertPeerEntry.AddressOf(arguments, rank);
            Vector16 regions = GlobalMemory.Load16(peer), counters = GlobalMemory.Load16(peer + ExpertPeerEntry.IncomingOffset), kind = GlobalMemory.Load16(peer + ExpertPeerEntry.IsMaskedOffset);
            shared[Own + rank] = kind.A != 0 ? Masked : kind.B != 0 ? Staged : Mapped;
            Set(shared, Own + arguments.Ranks + (2 * rank), counters.C, counters.D);
            Set(shared, Own + (3 * arguments.Ranks) + (2 * rank), counters.A, counters.B);
            Set(shared, Own + (5 * arguments.Ranks) + (2 * rank), results ? regions.C : regions.A, results ? regions.D : regions.B);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Set(ArrayView<int> shared, int at, uint low, uint high)
    {
        shared[at] = (int)low;
        shared[at + 1] = (int)high;
    }
}
