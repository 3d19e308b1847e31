namespace Garden;

/// <summary>
/// A blittable name of a region in one of the engine's unmanaged tables: 20 bits of index, 12 bits of generation.
/// The generation makes a handle of a region that was unregistered (or whose peer is gone) detectably stale.
/// </summary>
public readonly struct RegionHandle : IEquatable<RegionHandle>
{
    internal const int IndexBits = 20;
    internal const uint IndexMask = (1u << IndexBits) - 1;
    internal const int MaxGeneration = (1 << (32 - IndexBits)) - 1;

    internal RegionHandle(int index, int generation) => Value = ((uint)generation << IndexBits) | (uint)index;

    /// <summary>The raw bits; zero is never a valid handle (generations start at one).</summary>
    public uint Value { get; }

    /// <summary>True for the default handle, which names no region.</summary>
    public bool IsNone => Value == 0;

    internal int Index => (int)(Value & IndexMask);

    internal int Generation => (int)(Value >> IndexBits);

    /// <inheritdoc/>
    public bool Equals(RegionHandle other) => Value == other.Value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is RegionHandle other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => (int)Value;

    /// <summary>Bitwise equality.</summary>
    public static bool operator ==(RegionHandle left, RegionHandle right) => left.Value == right.Value;

    /// <summary>Bitwise inequality.</summary>
    public static bool operator !=(RegionHandle left, RegionHandle right) => left.Value != right.Value;

    /// <inheritdoc/>
    public override string ToString() => IsNone ? "no region" : $"region {Index}.{Generation}";
}
