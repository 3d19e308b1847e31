using System.Runtime.InteropServices;

namespace Garden;

/// <summary>One request on its way from a submitter to a worker: two cache lines.</summary>
[StructLayout(LayoutKind.Explicit, Size = SizeInBytes)]
internal unsafe struct SubmissionSlot
{
    public const int SizeInBytes = 128;

    /// <summary>The longest plan that travels in the slot itself; a longer one is put into a native block.</summary>
    public const int MaxInlinePlan = 88;

    /// <summary>Whose turn it is, see <see cref="SubmissionRing"/>.</summary>
    [FieldOffset(0)]
    public long Sequence;

    /// <summary>How to expand and release the plan.</summary>
    [FieldOffset(8)]
    public PlanOperations* Operations;

    /// <summary>A bit per source region, see <see cref="PlanValidator"/>.</summary>
    [FieldOffset(16)]
    public ulong SourceMask;

    /// <summary>Index of the transfer's source.</summary>
    [FieldOffset(24)]
    public int Source;

    /// <summary>The one destination peer, −1 for several.</summary>
    [FieldOffset(28)]
    public int Peer;

    /// <summary>Lane policy.</summary>
    [FieldOffset(32)]
    public LaneRoutingKind Routing;

    /// <summary>Lane of a pinned transfer.</summary>
    [FieldOffset(33)]
    public byte Lane;

    /// <summary>1 when <see cref="Plan"/> holds a native block's handle instead of the plan.</summary>
    [FieldOffset(34)]
    public byte PlanInBlock;

    /// <summary>The low 32 bits of the millisecond (Environment.TickCount64) at which the transfer is cancelled.</summary>
    [FieldOffset(36)]
    public int DeadlineMilliseconds;

    /// <summary>The plan, or the handle of the block that holds it.</summary>
    [FieldOffset(40)]
    public fixed byte Plan[MaxInlinePlan];
}
