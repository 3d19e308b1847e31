using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels.Experts;

/// <summary>
/// Waits of kernels for other ranks. No group waits for another group of its kernel: each looks at the rank's flag itself. Groups that
/// receive must all place rows alike, so only the first group gives up on a rank, in two steps: it closes the rank, looks once more, and
/// then says how it ended. Who sees the flag and a rank that is not closed goes on at once. Groups that send need not agree: when one
/// gave up, the last does not tell the rank.
/// </summary>
internal static unsafe class ExpertWait
{
    internal const uint DispatchArrived = 0;
    internal const uint DispatchConsumed = 4;
    internal const uint CombineArrived = 8;
    internal const uint CombineConsumed = 12;

    private const uint CameInTime = 1;
    private const uint DidNotCome = 2;
    private const uint Closed = 3;

    /// <summary>What <see cref="IsLastGroup"/> returns.</summary>
    internal const int NotLast = 0;
    internal const int Last = 1;
    internal const int LastAfterFailure = 3;

    /// <summary>In the upper half of a counter of groups: those that gave up on a rank. A grid has fewer groups than either half counts: those resident on a device.</summary>
    private const uint GaveUp = 1 << 16;

    /// <summary>How often a group of the CPU accelerator looks for the first group's word: it runs on another thread by then.</summary>
    private const int LooksForWord = 1 << 30;

    /// <summary>True when the rank, not a masked one, has reached an epoch in time. One that did not is reported, and the group tells <see cref="IsLastGroup"/>.</summary>
    public static bool MaySend(ExpertKernelArgs arguments, int phase, int rank, ulong flag, uint target, uint epoch)
    {
        if (Came(arguments, flag, target))
            return true;
        Atomic.Exchange(ref *(uint*)Verdict(arguments, phase, rank, epoch), DidNotCome);
        ReportMissing(arguments, phase, rank, epoch);
        return false;
    }

    /// <summary>True when a group gave up on the rank. For the last group of a kernel, with what <see cref="IsLastGroup"/> returned: nothing is looked up where no group gave up on any.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HasFailed(ExpertKernelArgs arguments, int phase, int rank, uint epoch, int last) =>
        last == LastAfterFailure && GlobalMemory.Load4(Verdict(arguments, phase, rank, epoch)) == DidNotCome;

    /// <summary>
    /// True when no group has given up on the rank, or is about to: who sees its flag, and then this, goes on. It need not be waited for before
    /// what the rank wrote is read, only before that is used.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsOpen(ExpertKernelArgs arguments, int phase, int rank, uint epoch) => DeviceFlag.LoadGpu(Verdict(arguments, phase, rank, epoch)) == 0;

    /// <summary>
    /// What all groups of a kernel take as true about a rank that did not come in time, or that is not open: whether it came. With true, everything the rank wrote is
    /// visible afterwards.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Settle(ExpertKernelArgs arguments, int phase, int rank, ulong flag, uint target, uint epoch)
    {
        ulong verdict = Verdict(arguments, phase, rank, epoch);
        bool agreed = Grid.IdxX == 0 ? Decide(verdict, flag, target) : Learn(arguments, verdict, flag, target);
        if (!agreed)
            ReportMissing(arguments, phase, rank, epoch);
        return agreed;
    }

    /// <summary>Makes room for what the groups of the kernel's next round agree on: words that no group of this round looks at. For one group, a thread a rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Forget(ExpertKernelArgs arguments, int phase, int rank, uint epoch) =>
        GlobalMemory.Store4(Verdict(arguments, phase, rank, epoch + 1), 0);

    /// <summary>True when the counter has reached an epoch. Epochs may wrap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HasReached(ulong flag, uint target) => (int)(DeviceFlag.LoadAcquireSystem(flag) - target) >= 0;

    /// <summary>True when the counter has reached an epoch before the deadline.</summary>
    public static bool Came(ExpertKernelArgs arguments, ulong flag, uint target)
    {
        if (HasReached(flag, target))
            return true;
        ulong start = DeviceClock.Nanoseconds();
        int left = arguments.Looks;
        do
        {
            if (CudaAsm.IsSupported ? DeviceClock.Nanoseconds() - start > arguments.DeadlineNanoseconds : left-- <= 0)
                return false;
        }
        while (!HasReached(flag, target));

        return true;
    }

    /// <summary>
    /// <see cref="Last"/> for the last group of a kernel to come here, <see cref="LastAfterFailure"/> when a thread of any group gave up on a rank; what all others
    /// did is visible to it. All threads of a group call it.
    /// </summary>
    public static int IsLastGroup(ulong groupsDone, ArrayView<int> shared, bool gaveUp)
    {
        bool any = Group.BarrierOr(gaveUp);
        if (Grid.DimX == 1)
            return any ? LastAfterFailure : Last;
        if (Group.IdxX == 0)
        {
            uint before = DeviceFlag.AddAcquireReleaseGpu(groupsDone, any ? GaveUp + 1 : 1);
            bool last = (before & (GaveUp - 1)) == (uint)Grid.DimX - 1;
            if (last)
                GlobalMemory.Store4(groupsDone, 0);
            shared[0] = !last ? NotLast : any || before >= GaveUp ? LastAfterFailure : Last;
        }

        Group.Barrier();
        return shared[0];
    }

    /// <summary>
    /// Tells a mapped rank how far this one has come, behind a fence that has everything the kernel wrote, and the kernels before it read and wrote, in front of it. The network tells those
    /// of other nodes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Tell(ExpertKernelArgs arguments, ArrayView<int> shared, int rank, uint counter, uint epoch) =>
        DeviceFlag.StoreSystem(PeerWords.Outgoing(arguments, shared, rank) + counter, epoch);

    /// <summary>Tells the host's worker, if there is one. Threads of the last group call it together.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Raise(ulong progress, uint epoch)
    {
        if (progress == 0)
            return;
        Group.Barrier();
        if (Group.IdxX == 0)
        {
            DeviceFlag.FenceSystem();
            DeviceFlag.StoreReleaseSystem8(progress, epoch);
        }
    }

    /// <summary>The area of the combine region that the round's results come back to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint CombineArea(ExpertKernelArgs arguments, uint epoch)
    {
        uint area = GlobalMemory.Load4(arguments.State + ExpertRoundState.CombineAreaOffset);
        return area == 0 ? epoch & 1 : area - 1;
    }

    /// <summary>
    /// The first group's decision. Who saw the flag of a rank that was not closed yet saw it before this group looks again, so that it is seen here too; who
    /// sees it later sees that the rank is closed, and waits for the word.
    /// </summary>
    private static bool Decide(ulong verdict, ulong flag, uint target)
    {
        // The kernel ran in this round before: its word stands.
        if (DeviceFlag.LoadAcquireGpu(verdict) == DidNotCome)
            return false;
        Atomic.Exchange(ref *(uint*)verdict, Closed);
        DeviceFlag.FenceSystem();
        bool came = HasReached(flag, target);
        Atomic.Exchange(ref *(uint*)verdict, came ? CameInTime : DidNotCome);
        return came;
    }

    private static bool Learn(ExpertKernelArgs arguments, ulong verdict, ulong flag, uint target)
    {
        ulong start = DeviceClock.Nanoseconds();
        int left = LooksForWord;
        while (true)
        {
            // The flag first: what it means depends on what the verdict is afterwards.
            bool came = HasReached(flag, target);
            uint word = DeviceFlag.LoadAcquireGpu(verdict);
            if (word == DidNotCome)
                return false;
            if (came && word != Closed)
                return true;
            // The first group gives up by its own deadline, which began no later than one deadline from here.
            if (CudaAsm.IsSupported ? DeviceClock.Nanoseconds() - start > 2 * arguments.DeadlineNanoseconds : left-- <= 0)
                return false;
        }
    }

    /// <summary>Tells the host that the rank did not come.</summary>
    public static void ReportMissing(ExpertKernelArgs arguments, int phase, int rank, uint epoch) =>
        // Safe: the table has a word for every phase and rank.
        GlobalMemory.Store4(arguments.Missing + (ulong)(4 * ((phase * arguments.Ranks) + rank)), epoch);

    /// <summary>Safe: the table has a word for every parity, phase and rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Verdict(ExpertKernelArgs arguments, int phase, int rank, uint epoch) =>
        arguments.Verdicts + (ulong)(4 * (((((int)(epoch & 1) * ExpertKernelArgs.Phases) + phase) * arguments.Ranks) + rank));
}
