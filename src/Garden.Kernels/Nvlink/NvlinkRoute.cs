using System.Runtime.CompilerServices;
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

    /// <summary>Notes that so many writes with the same context and immediate wait for their copies.</summary>
    public void Await(in FabricWrite write, ulong batch, int run, int count)
    {
        if (Pending.Count != 0)
        {
            ref PendingWrite last = ref Pending.Last;
            if (last.Context == write.Context && last.Batch == batch && last.Run == run && last.Immediate == write.Immediate)
            {
                last.Count += count;
                return;
            }
        }

        Pending.Add(new PendingWrite { Context = write.Context, Batch = batch, Run = run, Immediate = write.Immediate, Count = count });
    }

    /// <summary>Notes a write that waits for no copy.</summary>
    public void End(in FabricWrite write, FabricStatus status, int code) =>
        Pending.Add(new PendingWrite { Context = write.Context, Immediate = write.Immediate, Status = status, Code = code, Count = 1 });

    /// <summary>Ends the writes of a run that will not be copied.</summary>
    public void EndRun(ulong batch, int run, FabricStatus status)
    {
        for (int i = 0; i < Pending.Count; i++)
        {
            ref PendingWrite write = ref Pending[i];
            if (write.Batch == batch && write.Run == run)
                (write.Batch, write.Status) = (0, status);
        }
    }

    /// <summary>Tells the peer of so many times the same immediate; false when it has no room.</summary>
    public bool TryPublish(uint immediate, int count)
    {
        ulong tail = Link->Tail;
        if (tail - _head >= Segment.Immediates)
            _head = Volatile.Read(ref Link->Head);
        if (tail - _head >= Segment.Immediates)
            return false;
        // Safe: masked to the ring's length.
        Link->Immediate[tail % Segment.Immediates] = immediate | ((ulong)(uint)count << 32);
        Volatile.Write(ref Link->Tail, tail + 1);
        Peer.WakePending = true;
        return true;
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

    /// <summary>Index of the run in its batch.</summary>
    public int Run;

    public uint Immediate;

    public int Code;

    public FabricStatus Status;

    public int Count;
}
