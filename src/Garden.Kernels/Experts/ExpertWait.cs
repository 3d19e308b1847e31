using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels.Experts;

/// <summary>
/// Waits of kernels for other ranks. No group waits for another group of its kernel: each looks at the rank's flag itself, and the
/// first that knows whether the rank came in time decides it for all, so that all groups place rows alike.
/// </summary>
public static unsafe class ExpertWait
{
    internal const uint DispatchArrived = 0;
    internal const uint DispatchConsumed = 4;
    internal const uint CombineArrived = 8;
    internal const uint CombineConsumed = 12;

    /// <summary>True when the rank's counter has reached an epoch in time; false for a masked rank at once. A rank that did not come is reported.</summary>
    public static bool Agree(ExpertKernelArgs arguments, int phase, int rank, uint counter, uint target, uint epoch)
    {
        var peer = (ExpertPeerEntry*)(arguments.Peers + ((ulong)rank * ExpertPeerEntry.SizeInBytes));
        if (peer->IsMasked != 0)
            return false;
        ulong flag = peer->Incoming + counter;
        uint came = Came(arguments, flag, target) ? 1u : 0u;
        int word = (phase * arguments.Ranks) + rank;
        // Safe: both tables have a word for every phase and rank.
        ulong verdict = arguments.Verdicts + ((ulong)word * 4);
        uint mine = (epoch << 1) | came, seen = DeviceFlag.LoadAcquireGpu(verdict);
        if ((seen ^ mine) > 1)
        {
            uint before = Atomic.CompareExchange(ref *(uint*)verdict, seen, mine);
            seen = before == seen ? mine : before;
        }

        if ((seen & 1) == 0)
        {
            GlobalMemory.Store4(arguments.Missing + ((ulong)word * 4), epoch);
            return false;
        }

        // Another group saw the flag in time; what it stands for must be visible here too.
        if (came == 0)
            DeviceFlag.LoadAcquireSystem(flag);
        return true;
    }

    /// <summary>True for the last group of a kernel to come here; what all others did is visible to it. All threads of a group call it.</summary>
    public static bool IsLastGroup(ulong groupsDone, ArrayView<int> shared)
    {
        Group.Barrier();
        if (Group.IdxX == 0)
        {
            int last = DeviceFlag.AddAcquireReleaseGpu(groupsDone, 1) == (uint)Grid.DimX - 1 ? 1 : 0;
            if (last != 0)
                GlobalMemory.Store4(groupsDone, 0);
            shared[0] = last;
        }

        Group.Barrier();
        return shared[0] != 0;
    }

    /// <summary>Tells the rank how far this one has come, behind everything the kernel wrote.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Tell(ExpertKernelArgs arguments, int rank, uint counter, uint epoch)
    {
        var peer = (ExpertPeerEntry*)(arguments.Peers + ((ulong)rank * ExpertPeerEntry.SizeInBytes));
        if (peer->IsMasked == 0 && peer->IsStaged == 0)
            DeviceFlag.StoreReleaseSystem(peer->Outgoing + counter, epoch);
    }

    /// <summary>Tells the host's worker, if there is one. Threads of the last group call it together.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Raise(ulong progress, uint epoch)
    {
        Group.Barrier();
        if (Group.IdxX == 0 && progress != 0)
        {
            DeviceFlag.FenceSystem();
            DeviceFlag.StoreReleaseSystem8(progress, epoch);
        }
    }

    private static bool Came(ExpertKernelArgs arguments, ulong flag, uint target)
    {
        ulong start = DeviceClock.Nanoseconds();
        int left = arguments.Looks;
        // Epochs may wrap.
        while ((int)(DeviceFlag.LoadAcquireSystem(flag) - target) < 0)
        {
            if (CudaAsm.IsSupported ? DeviceClock.Nanoseconds() - start > arguments.DeadlineNanoseconds : left-- <= 0)
                return false;
        }

        return true;
    }
}
