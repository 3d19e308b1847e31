using System.Runtime.InteropServices;

namespace Garden;

/// <summary>A transfer in a worker's hands, in unmanaged memory and touched by the worker only.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TransferRecord
{
    public PlanOperations* Operations;

    /// <summary>A bit per source region, see <see cref="PlanValidator"/>.</summary>
    public uint SourceMask;

    /// <summary>The native block that holds a plan too long for <see cref="Plan"/>, 0 when there is none.</summary>
    public ulong Block;

    /// <summary>Time in milliseconds (Environment.TickCount64) at which the transfer is cancelled, and, once it is stopping, given up.</summary>
    public long Deadline;

    public long Bytes;
    public long Writes;
    public int Source;

    /// <summary>The one destination peer, −1 for several.</summary>
    public int Peer;

    /// <summary>Next record of the peer's queue, −1 at the end; next free record while free.</summary>
    public int Next;

    /// <summary>Writes staged or posted and not completed.</summary>
    public int Outstanding;

    /// <summary>Grows with each use of the record; part of the context of its writes.</summary>
    public uint Generation;

    public TransferFlags Flags;
    public LaneRoutingKind Routing;
    public byte Lane;
    public byte LanesUsed;

    /// <summary>The first lane of a transfer that is sharded over some lanes only.</summary>
    public byte FirstLane;

    /// <summary>The counter the receiver waits for, and where: who is told when the transfer fails.</summary>
    public Immediate AbortImmediate;
    public int AbortPeer;
    public PlanCursor Cursor;

    /// <summary>What is left of a descriptor that was cut when credits ran out.</summary>
    public WriteDescriptor Partial;
    public fixed byte Plan[SubmissionSlot.MaxInlinePlan];
}

/// <summary>Where a <see cref="TransferRecord"/> stands.</summary>
[Flags]
internal enum TransferFlags : ushort
{
    None = 0,
    InUse = 1,

    /// <summary>Nothing is left to expand.</summary>
    Expanded = 2,

    /// <summary><see cref="TransferRecord.Partial"/> is to be staged first.</summary>
    HasPartial = 4,

    /// <summary>Failed or cancelled: nothing more is posted, what is posted drains.</summary>
    Stopping = 8,

    /// <summary>The record stands in a peer's queue.</summary>
    Queued = 16,

    /// <summary>The plan's native lists were given back.</summary>
    Released = 32,

    /// <summary>The plan has several counters or destinations; they are found by expanding it again.</summary>
    SeveralImmediates = 64,

    /// <summary>The source was completed although writes are still posted.</summary>
    Abandoned = 128,

    /// <summary>The transfer had begun when its source region was closed: it may go on from it.</summary>
    Draining = 256,
}
