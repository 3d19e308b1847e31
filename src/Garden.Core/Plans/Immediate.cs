using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>
/// The 32 bits that travel with a write and are counted at the receiver once its payload is visible there.
/// Bit 31 set: an engine-allocated counter (15-bit slot, 6-bit generation, 10-bit units). Bit 31 clear: a number chosen
/// by the user, 1 … 2³¹−1; such writes are neither split nor coalesced and each counts once. Zero is reserved: no immediate.
/// </summary>
public readonly struct Immediate : IEquatable<Immediate>
{
    internal const uint CounterBit = 1u << 31;
    internal const int UnitBits = 10;
    internal const int GenerationBits = 6;
    internal const int SlotBits = 15;
    internal const uint UnitMask = (1u << UnitBits) - 1;

    private Immediate(uint value) => Value = value;

    /// <summary>The raw bits. For a counter the unit bits are zero until the write is posted.</summary>
    public uint Value { get; }

    /// <summary>No immediate: the receiver is not told.</summary>
    public static Immediate None => default;

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => Value == 0;

    /// <summary>True when this names an engine-allocated counter.</summary>
    public bool IsCounter => (Value & CounterBit) != 0;

    /// <summary>True when this is a number chosen by the user.</summary>
    public bool IsNumber => Value - 1 < CounterBit - 1;

    internal int Slot => (int)((Value >> (UnitBits + GenerationBits)) & ((1u << SlotBits) - 1));

    internal int Generation => (int)((Value >> UnitBits) & ((1u << GenerationBits) - 1));

    internal int Units => (int)(Value & UnitMask);

    /// <summary>A number chosen by the user.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="number"/> is 0 (reserved for "no immediate") or above 2³¹−1.</exception>
    public static Immediate FromNumber(uint number)
    {
        if (number - 1 >= CounterBit - 1)
            ThrowHelper.ThrowImmediateNumber(number);
        return new Immediate(number);
    }

    /// <summary>The immediate with these raw bits, as received from a peer.</summary>
    public static Immediate FromBits(uint bits) => new(bits);

    internal static Immediate ForCounter(int slot, int generation) =>
        new(CounterBit | ((uint)slot << (UnitBits + GenerationBits)) | ((uint)generation << UnitBits));

    /// <summary>The bits on the wire: a counter's immediate with its units filled in, anything else as it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint OnWire(uint units) => IsCounter ? (Value & ~UnitMask) | units : Value;

    /// <inheritdoc/>
    public bool Equals(Immediate other) => Value == other.Value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Immediate other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => (int)Value;

    /// <summary>Bitwise equality.</summary>
    public static bool operator ==(Immediate left, Immediate right) => left.Value == right.Value;

    /// <summary>Bitwise inequality.</summary>
    public static bool operator !=(Immediate left, Immediate right) => left.Value != right.Value;

    /// <inheritdoc/>
    public override string ToString() =>
        IsNone ? "no immediate" : IsCounter ? $"counter {Slot} generation {Generation}" : $"immediate {Value}";
}
