using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>One open route of a NIC, as its worker uses it: the link at the peer, and what was posted and has not ended.</summary>
internal sealed unsafe class NvlinkRoute
{
    private ulong _head;
    private int _nextMessage;

    public NvlinkRoute(int index, NvlinkPeer peer, int link)
    {
        Index = index;
        Peer = peer;
        Link = link < 0 ? null : peer.LinkAt(link);
        peer.Routes.Add(this);
    }

    public int Index { get; }

    public NvlinkPeer Peer { get; }

    /// <summary>The link at the peer; null when the peer had none to give.</summary>
    public LinkRow* Link { get; }

    /// <summary>Writes in the order they were posted.</summary>
    public Ring<PendingWrite> Pending { get; } = new(64);

    /// <summary>The last batch that wrote over this route.</summary>
    public ulong Posted { get; set; }

    /// <summary>True once it was told that the route is gone.</summary>
    public bool HasFailed { get; set; }

    /// <summary>True while the peer is there and lets this route pass.</summary>
    public bool IsUp => !HasFailed && Link is not null && Peer.IsUp && Volatile.Read(ref Link->State) == (int)LinkState.Open;

    /// <summary>True when the peer has room for an immediate, or is gone.</summary>
    public bool HasRoom => !IsUp || Link->Tail - Volatile.Read(ref Link->Head) < Segment.Immediates;

    /// <summary>Tells the peer of the same immediate so many times, or as often as it has room for, and returns how often that is.</summary>
    public int Publish(uint immediate, int count)
    {
        ulong tail = Link->Tail;
        if (tail - _head + (ulong)count > Segment.Immediates)
            _head = Volatile.Read(ref Link->Head);
        count = (int)Math.Min((ulong)count, Segment.Immediates - Math.Min(Segment.Immediates, tail - _head));
        for (int i = 0; i < count; i++)
        {
            // Safe: masked to the ring's length.
            Link->Immediate[tail++ % Segment.Immediates] = immediate;
        }

        if (count == 0)
            return 0;
        Volatile.Write(ref Link->Tail, tail);
        Peer.WakePending = true;
        return count;
    }

    /// <summary>Gives the peer a message; false when the slot whose turn it is has not come back.</summary>
    public bool TrySend(ReadOnlySpan<byte> message)
    {
        if (Volatile.Read(ref Link->MessageState[_nextMessage]) != 0)
            return false;
        // Safe: a slot has room for the longest message, which the caller keeps to.
        message.CopyTo(new Span<byte>(LinkRow.MessageAt(Link, _nextMessage), Segment.MessageBytes));
        Link->MessageLength[_nextMessage] = message.Length;
        Volatile.Write(ref Link->MessageState[_nextMessage], 1);
        _nextMessage = (_nextMessage + 1) % Segment.Messages;
        Peer.WakePending = true;
        return true;
    }

    /// <summary>Gives the link back. Nothing of the route is under way any more.</summary>
    public void Close()
    {
        Peer.Routes.Remove(this);
        if (Link is not null)
            Volatile.Write(ref Link->Closed, 1);
    }
}

/// <summary>Writes that were posted and not reported, one after the other and all alike.</summary>
internal struct PendingWrite
{
    public ulong Context;

    /// <summary>The batch that has its copy, 0 when there is none.</summary>
    public ulong Batch;

    public uint Immediate;

    public int Code;

    public FabricStatus Status;

    public int Count;
}
