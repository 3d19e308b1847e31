using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// One request on its way from a submitter to a worker: two cache lines, of which a plan of up to 40 bytes (a single write)
/// needs only the first: a line is what a request costs to travel between two cores.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = SizeInBytes)]
internal unsafe struct SubmissionSlot
{
    public const int SizeInBytes = 128;

    /// <summary>The longest plan that travels in the slot itself; a longer one is put into a native block.</summary>
    public const int MaxInlinePlan = SizeInBytes - PlanOffset;

    /// <summary>The longest plan that leaves the second line alone.</summary>
    public const int MaxOneLinePlan = 64 - PlanOffset;

    private const int PlanOffset = 24;
    private const int SourceBits = 20;
    private const int PeerBits = 21;
    private const int KindBits = 2;
    private const int LaneBits = 4;

    /// <summary>Whose turn it is, see <see cref="SubmissionRing"/>.</summary>
    [FieldOffset(0)]
    public uint Sequence;

    /// <summary>How to expand and release the plan.</summary>
    [FieldOffset(8)]
    public PlanOperations* Operations;

    /// <summary>The low 32 bits of the millisecond (Environment.TickCount64) at which the transfer is cancelled.</summary>
    [FieldOffset(20)]
    public int DeadlineMilliseconds;

    /// <summary>The plan, or the handle of the block that holds it.</summary>
    [FieldOffset(PlanOffset)]
    public fixed byte Plan[MaxInlinePlan];

    [FieldOffset(4)]
    private uint _sourceAndMask;

    [FieldOffset(16)]
    private uint _peerAndRouting;

    /// <summary>Index of the transfer's source.</summary>
    public readonly int Source => (int)(_sourceAndMask & ((1u << SourceBits) - 1));

    /// <summary>A bit per source region, folded to 12, see <see cref="PlanValidator.MaskOf"/>.</summary>
    public readonly uint SourceMask => _sourceAndMask >> SourceBits;

    /// <summary>The one destination peer, −1 for several.</summary>
    public readonly int Peer => (int)(_peerAndRouting & ((1u << PeerBits) - 1)) - 1;

    /// <summary>Lane policy.</summary>
    public readonly LaneRoutingKind Routing => (LaneRoutingKind)((_peerAndRouting >> PeerBits) & ((1u << KindBits) - 1));

    /// <summary>Lane of a pinned transfer, or how many lanes a sharded one uses.</summary>
    public readonly byte Lane => (byte)((_peerAndRouting >> (PeerBits + KindBits)) & ((1u << LaneBits) - 1));

    /// <summary>True when <see cref="Plan"/> holds a native block's handle instead of the plan.</summary>
    public readonly bool PlanInBlock => _peerAndRouting >> (PeerBits + KindBits + LaneBits) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(PlanOperations* operations, int source, uint sourceMask, int peer, LaneRouting routing, bool planInBlock, int deadline)
    {
        Operations = operations;
        _sourceAndMask = (uint)source | (sourceMask << SourceBits);
        _peerAndRouting = (uint)(Math.Max(peer, -1) + 1)
            | ((uint)routing.Kind << PeerBits)
            | ((uint)routing.Lane << (PeerBits + KindBits))
            | (planInBlock ? 1u << (PeerBits + KindBits + LaneBits) : 0);
        DeadlineMilliseconds = deadline;
    }
}
