using ILGPU;

namespace Garden.Kernels.Tests.Kernels;

/// <summary>Arguments of <see cref="CountKernels"/>.</summary>
public struct CountArgs
{
    public ulong Counter;

    public int Times;
}

/// <summary>Kernels that count, one by one and all at once.</summary>
public static unsafe class CountKernels
{
    /// <summary>One thread adds, plainly.</summary>
    public static void Increment(CountArgs arguments)
    {
        for (int i = 0; i < arguments.Times; i++)
            *(uint*)arguments.Counter = *(uint*)arguments.Counter + 1;
    }

    /// <summary>Every thread adds with a release, at both scopes in turn.</summary>
    public static void AddAll(CountArgs arguments)
    {
        for (int i = 0; i < arguments.Times; i++)
        {
            DeviceFlag.AddReleaseGpu(arguments.Counter, 1);
            DeviceFlag.AddReleaseSystem(arguments.Counter, 1);
        }
    }

    /// <summary>The first thread goes through every flag operation; each leaves its result behind the flags.</summary>
    public static void Flags(CountArgs arguments)
    {
        if (Group.IdxX != 0 || Grid.IdxX != 0)
            return;
        ulong flag = arguments.Counter, result = arguments.Counter + 32;
        DeviceFlag.StoreReleaseGpu(flag, 11);
        DeviceFlag.FenceGpu();
        GlobalMemory.Store4(result, DeviceFlag.LoadAcquireGpu(flag));
        DeviceFlag.StoreReleaseSystem(flag, 12);
        DeviceFlag.FenceSystem();
        GlobalMemory.Store4(result + 4, DeviceFlag.LoadAcquireSystem(flag));
        DeviceFlag.StoreReleaseSystem8(flag + 8, 0x1_0000_000D);
        GlobalMemory.Store8(result + 8, DeviceFlag.LoadAcquireSystem8(flag + 8));
    }
}
