using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>How the kernels that send rows begin and end.</summary>
internal static unsafe class SendGate
{
    private const int Phase = (int)ExpertPhase.DispatchSend;

    /// <summary>
    /// Reads the round and waits until slots may be written: [rank] 1 at <paramref name="writable"/> when it may,
    /// [rank] its address at <paramref name="line"/>, two words. A thread a rank. True when it gave up on one. The caller sets a barrier behind it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Wait(ExpertKernelArgs arguments, ArrayView<int> shared, int writable, int line)
    {
        bool gaveUp = false;
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            ulong flag = PeerWords.Incoming(arguments, shared, rank) + ExpertWait.DispatchConsumed;
            int kind = PeerWords.Kind(shared, rank);
            // The round is on its way while the flag is looked at.
            Vector16 state = GlobalMemory.Load16(arguments.State), area = GlobalMemory.Load16(arguments.State + ExpertRoundState.CombineSendGroupsOffset);
            uint reached = kind != PeerWords.Masked ? DeviceFlag.LoadAcquireSystem(flag) : 0, epoch = state.A;
            // A slot has two parities, staging one.
            uint target = epoch - 2 + (kind == PeerWords.Staged ? 1u : 0);
            bool may = kind != PeerWords.Masked && ((int)(reached - target) >= 0 || ExpertWait.MaySend(arguments, Phase, rank, flag, target, epoch));
            gaveUp |= kind != PeerWords.Masked && !may;
            shared[writable + rank] = may ? 1 : 0;
            ulong region = PeerWords.Region(arguments, shared, rank);
            SharedWords.SetAddress(shared, line + (2 * rank), kind == PeerWords.Staged ? region : region + ((epoch & 1) * (ulong)arguments.RanksOfNode * arguments.SlotBytes));
            if (rank != 0)
                continue;
            shared[PeerWords.Epoch] = (int)epoch;
            shared[PeerWords.Tokens] = (int)state.B > arguments.MaxTokens ? arguments.MaxTokens : (int)state.B;
            shared[PeerWords.Area] = area.C == 0 ? (int)(epoch & 1) : (int)area.C - 1;
        }

        return gaveUp;
    }

    /// <summary>Tells what the round sent and did not send. One thread of the first group does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Report(ExpertKernelArgs arguments, uint epoch, int tokens, int dropped, int invalid)
    {
        GlobalMemory.Store4(arguments.State + ExpertRoundState.ReportedEpochOffset, epoch);
        // The host may tell the next round's tokens before this one has ended.
        GlobalMemory.Store4(arguments.State + ExpertRoundState.RoundTokensOffset, (uint)tokens);
        // Nobody waits for what was there before. Safe: words of the state.
        if (dropped != 0)
            Atomic.Add(ref *(int*)(arguments.State + ExpertRoundState.DroppedOffset), dropped);
        if (invalid != 0)
            Atomic.Add(ref *(int*)(arguments.State + ExpertRoundState.InvalidOffset), invalid);
    }

    /// <summary>
    /// The last group tells ranks that their rows are there, those that no group gave up on, and with the same fence that the results of the round before
    /// are taken: the kernel that took them had ended when this one began, and who reads it has no results for this rank before it has these rows.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Tell(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int last)
    {
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            bool failed = ExpertWait.HasFailed(arguments, Phase, rank, epoch, last);
            int kind = PeerWords.Kind(shared, rank);
            ExpertWait.Forget(arguments, Phase, rank, epoch);
            if (kind == PeerWords.Mapped)
            {
                DeviceFlag.FenceSystem();
                if (!failed)
                    ExpertWait.Tell(arguments, shared, rank, ExpertWait.DispatchArrived, epoch);
                ExpertWait.Tell(arguments, shared, rank, ExpertWait.CombineConsumed, epoch - 1);
            }
            else if (failed && kind == PeerWords.Staged)
            {
                GlobalMemory.Store4(arguments.Posts + ((ulong)rank * ExpertPost.SizeInBytes), uint.MaxValue);
            }
        }

        ExpertWait.Raise(arguments.DispatchSent, epoch);
    }
}
