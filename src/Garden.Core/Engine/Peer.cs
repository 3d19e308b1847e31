namespace Garden;

/// <summary>
/// A connection to one device of another engine (or of this one). It is made by <see cref="TransferEngine.ConnectAsync"/>,
/// or by the other side's hello.
/// </summary>
public sealed class Peer
{
    private readonly Lock _lock = new();
    private readonly TransferEngine _engine;
    private PeerFailedException? _failure;
    private int _state;

    internal Peer(TransferEngine engine, Worker worker, int index, NetAddress address, ulong session, int epoch)
    {
        _engine = engine;
        Worker = worker;
        Index = index;
        Address = address;
        Session = session;
        Epoch = epoch;
    }

    /// <summary>The peer's address.</summary>
    public NetAddress Address { get; }

    /// <summary>Random id of the peer's engine; 0 until it is ready.</summary>
    public ulong EngineId { get; internal set; }

    /// <summary>How many connections with this address there have been, this one included.</summary>
    public int Epoch { get; }

    /// <summary>Where the connection stands.</summary>
    public PeerState State => (PeerState)Volatile.Read(ref _state);

    /// <summary>Why the connection has ended, or null.</summary>
    public PeerFailedException? Failure => Volatile.Read(ref _failure);

    /// <summary>Number of lanes: the larger number of NICs of the two sides.</summary>
    public int LaneCount { get; internal set; }

    /// <summary>The longest message in bytes that <see cref="TransferEngine.SendAsync"/> takes for this peer.</summary>
    public int MaxMessageLength => Worker.MaxUserMessageLength;

    /// <summary>The destination of immediate-only writes: a remote region of length 0.</summary>
    public RegionHandle SignalRegion { get; internal set; }

    internal Worker Worker { get; }

    internal int Index { get; }

    /// <summary>What the other side must put into its messages to this one.</summary>
    internal ulong Session { get; }

    /// <summary>What this side puts into its messages: the other side's index and session for this connection.</summary>
    internal uint RemoteIndex { get; set; }

    internal ulong RemoteSession { get; set; }

    internal bool WasReady { get; set; }

    internal long LastHeard { get; set; }

    internal long LastSent { get; set; }

    /// <summary>Messages that wait for the control queue; touched by the worker only.</summary>
    internal Queue<OutgoingMessage> Outbox { get; } = new();

    /// <summary>The session the other side chose, by which a repeated hello is recognised.</summary>
    internal ulong HelloSession { get; set; }

    /// <summary>Makes a region of this peer addressable.</summary>
    /// <exception cref="DescriptorException">The descriptor is another engine's, or has no route over this fabric.</exception>
    /// <exception cref="PeerFailedException">The peer is not ready.</exception>
    public RemoteRegion Import(MemoryRegionDescriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        RequireReady();
        if (descriptor.EngineId != EngineId)
            throw new DescriptorException($"The descriptor belongs to engine {descriptor.EngineId:x16}, this peer ({Address}) is engine {EngineId:x16}: it restarted, or the descriptor is another's. Ask the peer for a new descriptor.");
        Span<ulong> keys = stackalloc ulong[NetAddress.MaxNics];
        Span<ulong> bases = stackalloc ulong[NetAddress.MaxNics];
        int found = 0;
        foreach (RouteEntry route in descriptor.Routes)
        {
            if (route.Fabric != Address.Fabric)
                continue;
            bases[route.Nic] = route.Base;
            keys[route.Nic] = route.Key;
            found |= 1 << route.Nic;
        }

        if (found != (1 << Address.Nics.Count) - 1)
            throw new DescriptorException($"The descriptor has keys for NICs {found:b} of fabric {Address.Fabric}, the peer {Address} has {Address.Nics.Count} NICs; export the region from the device that was connected.");
        RegionHandle handle = _engine.Regions.Add(RegionState.Remote, Index, Worker.Device, descriptor.Length, bases, keys);
        // The peer may have ended meanwhile, and its place may be another's: then the row must not stay.
        if (State != PeerState.Ready)
        {
            _engine.Regions.Remove(handle);
            RequireReady();
        }

        return new RemoteRegion(_engine, this, handle, descriptor);
    }

    /// <summary>Tells the peer goodbye and closes the connection; running transfers to it end with <see cref="PeerFailedException"/>.</summary>
    public ValueTask CloseAsync() => Worker.CloseAsync(this);

    /// <inheritdoc/>
    public override string ToString() => $"{Address} (epoch {Epoch}, {State})";

    internal void RequireReady()
    {
        if (State == PeerState.Ready)
            return;
        throw Failure ?? new PeerFailedException(Address, $"The peer {Address} is {State}; connect first.");
    }

    internal bool TrySetState(PeerState state, PeerFailedException? failure = null)
    {
        lock (_lock)
        {
            if (_state >= (int)state)
                return false;
            Volatile.Write(ref _failure, failure);
            Volatile.Write(ref _state, (int)state);
            return true;
        }
    }
}
