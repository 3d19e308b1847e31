using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels;

/// <summary>
/// Flags and fences for kernels, at the scope of one GPU or of the whole system (peers and the host). What a thread did before a
/// release is seen by who acquires the released value. PTX on a CUDA device; on the CPU accelerator ILGPU's atomics,
/// which order everything.
/// </summary>
/// <remarks>Flags are epochs that only grow: they are never cleared, so a late reader cannot miss one.</remarks>
public static unsafe class DeviceFlag
{
    /// <summary>Loads 4 bytes; what the releasing thread of this GPU did is visible afterwards.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint LoadAcquireGpu(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("ld.acquire.gpu.global.u32 %0, [%1];", out uint value, address);
            return value;
        }

        return Atomic.Add(ref *(uint*)address, 0u);
    }

    /// <summary>Loads 4 bytes that other threads of this GPU may be changing; it orders nothing, and nothing behind it waits for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint LoadGpu(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("ld.relaxed.gpu.global.u32 %0, [%1];", out uint value, address);
            return value;
        }

        return Atomic.Add(ref *(uint*)address, 0u);
    }

    /// <summary>Loads 4 bytes; what the releasing thread, wherever it runs, did is visible afterwards.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint LoadAcquireSystem(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("ld.acquire.sys.global.u32 %0, [%1];", out uint value, address);
            return value;
        }

        return Atomic.Add(ref *(uint*)address, 0u);
    }

    /// <summary>Loads 8 bytes; what the releasing thread, wherever it runs, did is visible afterwards.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong LoadAcquireSystem8(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("ld.acquire.sys.global.u64 %0, [%1];", out ulong value, address);
            return value;
        }

        return Atomic.Add(ref *(ulong*)address, 0ul);
    }

    /// <summary>Stores 4 bytes after everything this thread did, for threads of this GPU.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreReleaseGpu(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.release.gpu.global.u32 [%0], %1;", address, value);
        else
            Atomic.Exchange(ref *(uint*)address, value);
    }

    /// <summary>Stores 4 bytes after everything this thread did, for peers and the host as well.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreReleaseSystem(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.release.sys.global.u32 [%0], %1;", address, value);
        else
            Atomic.Exchange(ref *(uint*)address, value);
    }

    /// <summary>Stores 4 bytes for peers and the host as well; behind a <see cref="FenceSystem"/>, after everything that came before that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StoreSystem(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.relaxed.sys.global.u32 [%0], %1;", address, value);
        else
            Atomic.Exchange(ref *(uint*)address, value);
    }

    /// <summary>Stores 8 bytes after everything this thread did, for peers and the host as well.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreReleaseSystem8(ulong address, ulong value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.release.sys.global.u64 [%0], %1;", address, value);
        else
            Atomic.Exchange(ref *(ulong*)address, value);
    }

    /// <summary>Adds to 4 bytes of this GPU's memory after everything this thread did.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddReleaseGpu(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("red.release.gpu.global.add.u32 [%0], %1;", address, value);
        else
            Atomic.Add(ref *(uint*)address, value);
    }

    /// <summary>Adds to 4 bytes of device memory, a peer's too, after everything this thread did. Not for host memory: not every bus carries atomics.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddReleaseSystem(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("red.release.sys.global.add.u32 [%0], %1;", address, value);
        else
            Atomic.Add(ref *(uint*)address, value);
    }

    /// <summary>Adds to 4 bytes of this GPU's memory and returns what was there: what everybody who added before did is visible, and what this thread did is visible to who adds later.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AddAcquireReleaseGpu(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;", out uint before, address, value);
            return before;
        }

        return Atomic.Add(ref *(uint*)address, value);
    }

    /// <summary>Orders everything this thread did before and does after, for threads of this GPU.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FenceGpu()
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("fence.acq_rel.gpu;");
        else
            MemoryFence.DeviceLevel();
    }

    /// <summary>Orders everything this thread did before and does after, for peers and the host as well.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FenceSystem()
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("fence.acq_rel.sys;");
        else
            MemoryFence.SystemLevel();
    }
}
