using System.Runtime.InteropServices;

namespace Garden;

/// <summary>One counter: a cache line, written by workers with interlocked adds.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal struct CounterEntry
{
    public const int SizeInBytes = 64;

    /// <summary>Units (or, for a number, immediates) counted so far.</summary>
    public long Count;

    /// <summary>At this count the owner is told; <see cref="long.MaxValue"/> when nobody waits.</summary>
    public long Target;

    /// <summary>Generation of an engine-allocated slot, 0 while it is free.</summary>
    public int Generation;

    /// <summary>The number plus the claim bit, 0 while a number's row is free.</summary>
    public uint Number;
}
