using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>How far a connection is.</summary>
internal enum ConnectionState
{
    /// <summary>The other side's queue pairs are not known.</summary>
    Offering,

    /// <summary>The queue pairs are connected here; whether they are on the other side is not known.</summary>
    Answered,

    /// <summary>Both sides are connected.</summary>
    Ready,

    /// <summary>It is over; what the NIC still holds comes back.</summary>
    Draining,

    /// <summary>Its queue pairs are destroyed.</summary>
    Gone,
}

/// <summary>
/// A pair of queue pairs to one remote NIC: data for writes, control for messages, so that a message does not wait behind bulk data. Both
/// directions use the same connection. Under the domain's lock.
/// </summary>
internal sealed class VerbsConnection(RemoteNic nic, uint epoch, QueuePair data, QueuePair control)
{
    public RemoteNic Nic { get; } = nic;

    /// <summary>This side's number of it.</summary>
    public uint Epoch { get; } = epoch;

    /// <summary>The other side's number of it, 0 while it is not known.</summary>
    public uint PeerEpoch { get; set; }

    public QueuePair Data { get; } = data;

    public QueuePair Control { get; } = control;

    public ConnectionState State { get; set; }

    public bool IsReady => State == ConnectionState.Ready;

    public bool IsOver => State is ConnectionState.Draining or ConnectionState.Gone;

    /// <summary>How it ended: the first cause, whatever came after it.</summary>
    public FabricStatus Cause { get; set; }

    /// <summary>The first cause's code.</summary>
    public int CauseCode { get; set; }

    /// <summary>Open routes that go over it.</summary>
    public int Routes { get; set; }

    /// <summary>The index of the route that goes over it where there is exactly one, −1 elsewhere.</summary>
    public int OnlyRoute { get; set; } = -1;

    /// <summary>Answers to revocations that found no slot.</summary>
    public int OwedAnswers { get; set; }

    /// <summary>When the next offer is due, until it is settled; later, when draining has taken too long.</summary>
    public long Due { get; set; }

    /// <summary>When an offer without an answer has failed.</summary>
    public long Deadline { get; set; }

    public int Offers { get; set; }

    /// <summary>Accepted writes the NIC does not have yet.</summary>
    public SlotList Waiting = SlotList.Empty;

    /// <summary>Writes the NIC has.</summary>
    public SlotList Posted = SlotList.Empty;

    /// <summary>Requests in the data queue.</summary>
    public int DataRequests { get; set; }

    /// <summary>Requests in the control queue.</summary>
    public int ControlRequests { get; set; }

    /// <summary>True while it stands in the list of connections that a post has given something to do.</summary>
    public bool IsTouched { get; set; }

    /// <summary>Slots of messages that the NIC does not have yet.</summary>
    public Queue<int> WaitingMessages { get; } = new();

    /// <summary>Immediates sent, and how many may have been.</summary>
    public uint ImmediatesSent { get; set; }

    public uint ImmediateLimit { get; set; }

    public uint MessagesSent { get; set; }

    public uint MessageLimit { get; set; }

    /// <summary>The longest message the other side takes.</summary>
    public int MaxMessageLength { get; set; } = int.MaxValue;

    /// <summary>Arrived immediates whose receives are posted again, and the limit that was last told.</summary>
    public uint ImmediatesTaken { get; set; }

    public uint ImmediatesTold { get; set; }

    /// <summary>Arrived messages whose buffers are posted again, and how many of them were told.</summary>
    public uint MessagesTaken { get; set; }

    public uint MessagesTold { get; set; }

    /// <summary>True while credits are to be told as soon as the control queue has room.</summary>
    public bool OwesCredits { get; set; }

    /// <summary>Keys the other side has taken back; null when there are none.</summary>
    public RecentKeys? RevokedKeys { get; set; }

    /// <summary>Revocations told to the other side and not answered, oldest first.</summary>
    public Queue<VerbsRevocation> Revocations { get; } = new();

    /// <summary>How an operation on it ended whose completion has a status: by its own fault, or folded into what ended the connection first.</summary>
    public (FabricStatus Status, int Code) HowEnded(int status)
    {
        if (IsOver && Cause is (FabricStatus.RouteDown or FabricStatus.NicDown))
            return (Cause, CauseCode);
        if (status != IBV.IBV_WC_WR_FLUSH_ERR)
            return (VerbsErrors.StatusOf(status), status);
        // Flushed without a cause here: the other end broke.
        return IsOver ? (FabricStatus.Flushed, CauseCode) : (FabricStatus.RouteDown, status);
    }

    // Modulo 2³²: never more than half of it apart.
    public bool MaySendImmediate => (int)(ImmediateLimit - ImmediatesSent) > 0;

    public bool MaySendMessage => (int)(MessageLimit - MessagesSent) > 0;
}
