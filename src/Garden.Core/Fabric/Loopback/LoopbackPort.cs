using System.Diagnostics;

namespace Garden.Fabric.Loopback;

/// <summary>What other threads see of one NIC: its receive side, its state, and the section its own deliveries run in.</summary>
/// <remarks>
/// Protocol. <see cref="State"/> and <see cref="IsHeld"/> are changed under the network's lock and read by senders inside their
/// section. Parking: the owner stores Armed, full fence, looks for arrivals; a sender publishes, full fence, reads
/// Armed and wakes. Armed is cleared by the owner's next poll only, so a wake is repeated rather than lost.
/// A sender without credits does the same the other way round: it stores its link's Blocked, then <c>_anyBlocked</c>, full fence,
/// looks at the credits again; whoever gives credits back (an interlocked add) then reads <c>_anyBlocked</c> and wakes it.
/// </remarks>
internal sealed class LoopbackPort : IDisposable
{
    private LoopbackLink[] _incoming = [];
    private volatile int _state;
    private volatile bool _held;
    private volatile bool _armed;
    private volatile bool _anyBlocked;

    public LoopbackPort(int id, string address, LoopbackOptions options, IWorkerSignal signal)
    {
        Id = id;
        Address = address;
        Signal = signal;
        MaxMessageLength = options.MaxMessageLength;
        Ring = new ReceiveRing(options.ReceiveQueueDepth);
        Messages = new MessageBuffers(options.ReceiveQueueDepth, options.MaxMessageLength);
    }

    /// <summary>Unique on the network for ever: a NIC opened again under the same address is another one.</summary>
    public int Id { get; }

    public string Address { get; }

    public IWorkerSignal Signal { get; }

    public int MaxMessageLength { get; }

    public DeliverySection Section { get; } = new();

    public ReceiveRing Ring { get; }

    public MessageBuffers Messages { get; }

    public LoopbackPortState State
    {
        get => (LoopbackPortState)_state;
        set => _state = (int)value;
    }

    /// <summary>True while deliveries to this NIC are frozen.</summary>
    public bool IsHeld
    {
        get => _held;
        set => _held = value;
    }

    public bool IsArmed
    {
        get => _armed;
        set => _armed = value;
    }

    /// <summary>Remembers a link that leads here, to wake its sender. Under the network's lock.</summary>
    public void AddIncoming(LoopbackLink link)
    {
        if (Array.IndexOf(_incoming, link) < 0)
            Volatile.Write(ref _incoming, [.. _incoming, link]);
    }

    /// <summary>Forgets the links of a sender that is gone. Under the network's lock.</summary>
    public void RemoveIncoming(LoopbackPort sender) =>
        Volatile.Write(ref _incoming, Array.FindAll(_incoming, link => link.Sender != sender));

    /// <summary>Asks for a wake when credits or message buffers come back. The caller looks for them again afterwards.</summary>
    public void NoteBlocked(LoopbackLink link)
    {
        link.IsBlocked = true;
        _anyBlocked = true;
        Interlocked.MemoryBarrier();
    }

    /// <summary>Gives credits back and wakes senders that wait for them. Outside any section.</summary>
    public void ReturnCredits(int credits)
    {
        Ring.Return(credits);
        WakeBlocked();
    }

    /// <summary>Wakes senders that wait for credits or buffers; the caller has just given some back with a full fence.</summary>
    public void WakeBlocked()
    {
        if (!_anyBlocked)
            return;
        _anyBlocked = false;
        Interlocked.MemoryBarrier();
        foreach (LoopbackLink link in Volatile.Read(ref _incoming))
        {
            if (!link.IsBlocked)
                continue;
            link.IsBlocked = false;
            link.Sender.Signal.Wake();
        }
    }

    public void Dispose()
    {
        Debug.Assert(State == LoopbackPortState.Closed, "Senders stay away from a closed port only.");
        Messages.Dispose();
    }
}

/// <summary>What has become of a NIC.</summary>
internal enum LoopbackPortState
{
    Up = 0,

    /// <summary>It failed and its owner knows.</summary>
    Failed = 1,

    /// <summary>Its device went silent.</summary>
    Killed = 2,

    /// <summary>It was disposed.</summary>
    Closed = 3,
}
