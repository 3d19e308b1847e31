using System.Runtime.CompilerServices;
using Garden.Kernels;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Perf.Gpu;

/// <summary>Arguments of <see cref="PingKernel"/>.</summary>
public struct PingArgs
{
    /// <summary>What the host watches, in mapped memory.</summary>
    public ulong Ping;

    /// <summary>What the host answers in, in mapped memory.</summary>
    public ulong Pong;

    /// <summary>Cycles of each round, in device memory; two times of the global clock in front.</summary>
    public ulong Samples;

    /// <summary>The value before the first round.</summary>
    public ulong First;

    /// <summary>Rounds.</summary>
    public int Rounds;

    /// <summary>Looks at the answer before a round is given up.</summary>
    public int Looks;
}

/// <summary>One thread raises a value, waits for the same value to come back, and notes how long that took by its own clock.</summary>
public static unsafe class PingKernel
{
    public static void Run(PingArgs arguments)
    {
        if (Grid.IdxX != 0 || Group.IdxX != 0)
            return;
        ulong begin = GlobalNanoseconds(), beginCycles = Cycles();
        for (int round = 0; round < arguments.Rounds; round++)
        {
            ulong value = arguments.First + (ulong)round + 1;
            ulong start = Cycles();
            DeviceFlag.StoreReleaseSystem8(arguments.Ping, value);
            int left = arguments.Looks;
            while (DeviceFlag.LoadAcquireSystem8(arguments.Pong) < value && left > 0)
                left--;
            GlobalMemory.Store8(arguments.Samples + 16 + ((ulong)round * 8), left == 0 ? ulong.MaxValue : Cycles() - start);
        }

        GlobalMemory.Store8(arguments.Samples, GlobalNanoseconds() - begin);
        GlobalMemory.Store8(arguments.Samples + 8, Cycles() - beginCycles);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Cycles()
    {
        if (!CudaAsm.IsSupported)
            return 0;
        CudaAsm.Emit("mov.u64 %0, %%clock64;", out ulong cycles);
        return cycles;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong GlobalNanoseconds()
    {
        if (!CudaAsm.IsSupported)
            return 0;
        CudaAsm.Emit("mov.u64 %0, %%globaltimer;", out ulong time);
        return time;
    }
}
