using System.Runtime.InteropServices;

namespace Garden;

/// <summary>One range of a <see cref="ScatterWrites"/>: where it lies in the source region and which peer's region it goes to.</summary>
/// <param name="Destination">The remote region; each target may belong to another peer.</param>
/// <param name="Immediate">What this target's receiver counts.</param>
/// <param name="SourceOffset">Byte offset in the source region.</param>
/// <param name="DestinationOffset">Byte offset in the remote region.</param>
/// <param name="Length">Bytes to move, 0 or more.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ScatterTarget(
    RegionHandle Destination,
    Immediate Immediate,
    long SourceOffset,
    long DestinationOffset,
    long Length);
