namespace Garden;

/// <summary>Where a connection to a peer stands.</summary>
public enum PeerState
{
    /// <summary>Hello was sent; no answer yet.</summary>
    Connecting = 0,

    /// <summary>Both sides know each other.</summary>
    Ready = 1,

    /// <summary>The peer died, fell silent or refused; see <see cref="Peer.Failure"/>. A new connection gets a new epoch.</summary>
    Failed = 2,

    /// <summary>Closed by one of the two sides.</summary>
    Closed = 3,
}
