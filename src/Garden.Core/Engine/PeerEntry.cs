using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>A peer as its worker sees it: lanes and a queue of transfers that wait for credits. Unmanaged, touched by the worker only.</summary>
internal struct PeerEntry
{
    /// <summary>True while the peer stands in the worker's round of peers with waiting transfers.</summary>
    public bool Queued;

    /// <summary>Number of lanes.</summary>
    public int LaneCount;

    /// <summary>First and last record of the queue of waiting transfers, −1 when it is empty.</summary>
    public int QueueHead;

    /// <summary>See <see cref="QueueHead"/>.</summary>
    public int QueueTail;

    /// <summary>The lanes.</summary>
    public LaneArray Lanes;

    /// <summary>Eight lanes.</summary>
    [InlineArray(NetAddress.MaxNics)]
    public struct LaneArray
    {
        private Lane _first;
    }
}

/// <summary>One way to a peer: a local NIC, one of the peer's NICs and the route between them.</summary>
internal struct Lane
{
    /// <summary>Index of the local NIC.</summary>
    public int Nic;

    /// <summary>Index of the peer's NIC.</summary>
    public int RemoteNic;

    /// <summary>The route in the local NIC's domain.</summary>
    public int Route;

    /// <summary>Writes posted and not completed.</summary>
    public int Outstanding;

    /// <summary>False once the NIC or the route has failed.</summary>
    public bool Alive;
}
