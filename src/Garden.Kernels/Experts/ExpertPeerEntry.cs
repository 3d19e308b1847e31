using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden.Kernels.Experts;

/// <summary>
/// What kernels know about one rank: where its rows go and where flags are. 64 bytes of device memory. A rank whose memory is mapped
/// is written directly; what goes to another node is staged, and the network takes it from there.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
public struct ExpertPeerEntry
{
    /// <summary>Size in bytes.</summary>
    public const int SizeInBytes = 64;

    // Kernels take addresses as numbers: ILGPU converts none of its pointers to one.
    internal const uint IncomingOffset = 16;
    internal const uint IsMaskedOffset = 32;

    internal const uint MaskedGone = 1;
    internal const uint MaskedLate = 2;

    /// <summary>Mapped: this rank's slot of parity 0 in the peer's dispatch region. Staged: the staging of dispatched rows.</summary>
    public ulong Dispatch;

    /// <summary>Mapped: the peer's combine region. Staged: the peer's part of the staging of results.</summary>
    public ulong Combine;

    /// <summary>The <see cref="Garden.Experts.ExpertPeerCounters"/> that tell about the peer: device memory, or mapped host memory for another node.</summary>
    public ulong Incoming;

    /// <summary>The peer's counters that tell about this rank; 0 when staged.</summary>
    public ulong Outgoing;

    /// <summary>Not 0 when nothing is sent to the peer or awaited from it; 2 when results of it may still land. Changes between rounds only.</summary>
    public uint IsMasked;

    /// <summary>1 when the peer is on another node.</summary>
    public uint IsStaged;

    /// <summary>Where the entry of a rank is. Safe: the table has one for every rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong AddressOf(ExpertKernelArgs arguments, int rank) => arguments.Peers + ((ulong)(uint)rank * SizeInBytes);
}
