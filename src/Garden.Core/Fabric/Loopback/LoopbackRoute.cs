namespace Garden.Fabric.Loopback;

/// <summary>One open route of a domain; used by its worker only.</summary>
internal sealed class LoopbackRoute(int index, string address, LoopbackLink link)
{
    public int Index { get; } = index;

    public string Address { get; } = address;

    public LoopbackLink Link { get; set; } = link;

    /// <summary>The peer's NIC once it was seen; a NIC that is attached later under its address is another one.</summary>
    public LoopbackPort? Target { get; set; }

    /// <summary>Writes that were accepted and are not delivered; while there are any, later ones queue behind them.</summary>
    public int PendingWrites { get; set; }

    /// <summary>The last pass over the pending deliveries in which a write of this route had to wait.</summary>
    public int WritesBlockedInPass { get; set; }

    /// <summary>The last pass over the pending deliveries in which a message of this route had to wait.</summary>
    public int MessagesBlockedInPass { get; set; }

    /// <summary>The link's fence epoch when the route was opened: a later fence ends the route for good.</summary>
    public int FenceEpoch { get; set; } = link.FenceEpoch;

    /// <summary>How the route failed, to be told once; Ok while there is nothing to tell.</summary>
    public FabricStatus Untold { get; set; }

    /// <summary>True when the route is gone for good, which is told once; nothing goes over it any more.</summary>
    public bool HasFailed { get; set; }

    /// <summary>True when the target got something in this call and is to be woken at its end.</summary>
    public bool WakePending { get; set; }
}
