namespace Garden.Interop.Libfabric;

/// <summary>One open route of a domain, with what the provider has not taken yet. Under the domain's lock.</summary>
internal sealed class LibfabricRoute(int index, PeerNic peer)
{
    /// <summary>Its number: the place in the domain's table under a generation.</summary>
    public int Index { get; } = index;

    public PeerNic Peer { get; } = peer;

    /// <summary>True when the route is gone for good; nothing goes over it any more.</summary>
    public bool HasFailed { get; set; }

    /// <summary>True after CloseRoute: what still ends on it is reported, nothing new is taken.</summary>
    public bool IsClosed { get; set; }

    /// <summary>True once the peer has been told who writes.</summary>
    public bool IsIntroduced { get; set; }

    /// <summary>True once the provider has taken a write of it, which is behind the introduction then.</summary>
    public bool HasWritten { get; set; }

    /// <summary>True while it stands in the list of routes with waiting operations.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>Slots of writes that the provider has not taken, oldest first.</summary>
    public Queue<int> WaitingWrites { get; } = new();

    /// <summary>Slots of messages that the provider has not taken.</summary>
    public Queue<int> WaitingMessages { get; } = new();

    /// <summary>Messages sent and not acknowledged.</summary>
    public int Unacknowledged { get; set; }

    /// <summary>Since when the peer has taken nothing, and how many operations had ended by then.</summary>
    public long RefusedSince { get; set; }

    /// <summary>See <see cref="RefusedSince"/>.</summary>
    public long EndedWhenRefused { get; set; } = -1;
}
