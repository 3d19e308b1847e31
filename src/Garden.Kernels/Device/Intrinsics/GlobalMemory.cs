using System.Runtime.CompilerServices;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels;

/// <summary>
/// Loads and stores at raw addresses, for kernels: PTX on a CUDA device, plain C# on the CPU accelerator. Addresses are of the
/// device's, a peer's or mapped host memory and must be multiples of the size. Loads leave no trace in the L1 cache.
/// </summary>
public static unsafe class GlobalMemory
{
    /// <summary>Loads 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector16 Load16(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Output<uint> a = default, b = default, c = default, d = default;
            Input<ulong> from = address;
            CudaAsm.EmitRef("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];", ref a, ref b, ref c, ref d, ref from);
            return new Vector16 { A = a.Value, B = b.Value, C = c.Value, D = d.Value };
        }

        return *(Vector16*)address;
    }

    /// <summary>Loads 16 bytes that a neighbouring thread loads as well: they stay in the L1 cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector16 LoadShared16(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            Output<uint> a = default, b = default, c = default, d = default;
            Input<ulong> from = address;
            CudaAsm.EmitRef("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];", ref a, ref b, ref c, ref d, ref from);
            return new Vector16 { A = a.Value, B = b.Value, C = c.Value, D = d.Value };
        }

        return *(Vector16*)address;
    }

    /// <summary>Stores 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store16(ulong address, Vector16 value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.global.v4.u32 [%0], {%1, %2, %3, %4};", address, value.A, value.B, value.C, value.D);
        else
            *(Vector16*)address = value;
    }

    /// <summary>Loads 8 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load8(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("ld.global.L1::no_allocate.u64 %0, [%1];", out ulong value, address);
            return value;
        }

        return *(ulong*)address;
    }

    /// <summary>Stores 8 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store8(ulong address, ulong value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.global.u64 [%0], %1;", address, value);
        else
            *(ulong*)address = value;
    }

    /// <summary>Loads 4 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Load4(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("ld.global.L1::no_allocate.u32 %0, [%1];", out uint value, address);
            return value;
        }

        return *(uint*)address;
    }

    /// <summary>Stores 4 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store4(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.global.u32 [%0], %1;", address, value);
        else
            *(uint*)address = value;
    }

    /// <summary>Loads 2 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Load2(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            // A register may be wider than what is loaded into it; ILGPU has none of 2 bytes or 1.
            CudaAsm.Emit("ld.global.L1::no_allocate.u16 %0, [%1];", out uint value, address);
            return value;
        }

        return *(ushort*)address;
    }

    /// <summary>Stores 2 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store2(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.global.u16 [%0], %1;", address, value);
        else
            *(ushort*)address = (ushort)value;
    }

    /// <summary>Loads 1 byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Load1(ulong address)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("ld.global.L1::no_allocate.u8 %0, [%1];", out uint value, address);
            return value;
        }

        return *(byte*)address;
    }

    /// <summary>Stores 1 byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store1(ulong address, uint value)
    {
        if (CudaAsm.IsSupported)
            CudaAsm.Emit("st.global.u8 [%0], %1;", address, value);
        else
            *(byte*)address = (byte)value;
    }
}
