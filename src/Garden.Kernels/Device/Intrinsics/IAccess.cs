using System.Runtime.CompilerServices;

namespace Garden.Kernels;

/// <summary>How many bytes a thread moves at a time; a type parameter of kernels, so that it is a constant in their code.</summary>
public interface IAccess
{
    /// <summary>Bytes of one access; addresses are multiples of it.</summary>
    static abstract int Bytes { get; }

    /// <summary>Loads into the first bytes of a vector.</summary>
    static abstract Vector16 Load(ulong address);

    /// <summary>Stores the first bytes of a vector.</summary>
    static abstract void Store(ulong address, Vector16 value);
}

/// <summary>16 bytes at a time.</summary>
public readonly struct Access16 : IAccess
{
    /// <inheritdoc/>
    public static int Bytes => 16;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector16 Load(ulong address) => GlobalMemory.Load16(address);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ulong address, Vector16 value) => GlobalMemory.Store16(address, value);
}

/// <summary>8 bytes at a time.</summary>
public readonly struct Access8 : IAccess
{
    /// <inheritdoc/>
    public static int Bytes => 8;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector16 Load(ulong address)
    {
        ulong value = GlobalMemory.Load8(address);
        return new Vector16 { A = (uint)value, B = (uint)(value >> 32) };
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ulong address, Vector16 value) => GlobalMemory.Store8(address, value.A | ((ulong)value.B << 32));
}

/// <summary>4 bytes at a time.</summary>
public readonly struct Access4 : IAccess
{
    /// <inheritdoc/>
    public static int Bytes => 4;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector16 Load(ulong address) => new() { A = GlobalMemory.Load4(address) };

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ulong address, Vector16 value) => GlobalMemory.Store4(address, value.A);
}

/// <summary>2 bytes at a time.</summary>
public readonly struct Access2 : IAccess
{
    /// <inheritdoc/>
    public static int Bytes => 2;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector16 Load(ulong address) => new() { A = GlobalMemory.Load2(address) };

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ulong address, Vector16 value) => GlobalMemory.Store2(address, value.A);
}

/// <summary>1 byte at a time.</summary>
public readonly struct Access1 : IAccess
{
    /// <inheritdoc/>
    public static int Bytes => 1;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector16 Load(ulong address) => new() { A = GlobalMemory.Load1(address) };

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ulong address, Vector16 value) => GlobalMemory.Store1(address, value.A);
}
