using System.Buffers;

namespace Garden.Fabric.Simulation;

/// <summary>
/// A NIC in virtual time over one of the loopback fabric. What is posted waits here until the simulated network has carried it and
/// then goes over the loopback NIC, which checks, copies, announces and reports it.
/// </summary>
/// <remarks>
/// The list of what has arrived is filled by whichever thread steps the clock, under a lock of its own; everything else belongs to
/// this NIC's thread.
/// </remarks>
internal sealed class SimulatedDomain : IFabricDomain, ISimulationHandler
{
    private readonly SimulatedWire _wire;
    private readonly IFabricDomain _inner;
    private readonly SimulatedNic _nic;
    private readonly Dictionary<int, string> _addresses = [];
    private readonly Operation[] _operations;
    private readonly Stack<int> _free;
    private readonly Lock _lock = new();
    private readonly Queue<int> _arrived = new();
    private readonly Queue<int> _due = new();
    private readonly Queue<FabricCompletion> _flushed = new();
    private int _onTheWay;
    private int _writes;
    private int _messages;

    public SimulatedDomain(SimulatedWire wire, IFabricDomain inner, SimulatedNic nic)
    {
        (_wire, _inner, _nic) = (wire, inner, nic);
        Capabilities = inner.Capabilities with { Ordered = nic.Options.Jitter == TimeSpan.Zero };
        // What a closed route leaves behind keeps its place until it has arrived nowhere.
        _operations = new Operation[4 * Capabilities.QueueDepth];
        _free = new Stack<int>(Enumerable.Range(0, _operations.Length).Reverse());
    }

    /// <inheritdoc/>
    public string Address => _inner.Address;

    /// <inheritdoc/>
    public FabricCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public int WaitDescriptor => -1;

    /// <inheritdoc/>
    public RegionKeys Register(nint address, long length, MemoryKind kind) => _inner.Register(address, length, kind);

    /// <inheritdoc/>
    public void Unregister(RegionKeys keys) => _inner.Unregister(keys);

    /// <inheritdoc/>
    public int OpenRoute(string remoteAddress)
    {
        int route = _inner.OpenRoute(remoteAddress);
        _addresses[route] = remoteAddress;
        return route;
    }

    /// <inheritdoc/>
    public void CloseRoute(int route)
    {
        TakeArrivals();
        foreach (ref Operation operation in _operations.AsSpan())
        {
            if (operation.State == OperationState.Waiting && operation.Write.Route == route)
                Flush(ref operation);
        }

        _addresses.Remove(route);
        _inner.CloseRoute(route);
    }

    /// <inheritdoc/>
    public void FencePeer(int route) => _inner.FencePeer(route);

    /// <inheritdoc/>
    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        int posted = 0;
        for (; posted < writes.Length && _writes < Capabilities.QueueDepth && _free.TryPop(out int slot); posted++)
        {
            _writes++;
            Start(slot, new Operation(OperationState.Waiting, writes[posted], null, 0));
        }

        return posted;
    }

    /// <inheritdoc/>
    public bool TrySend(int route, ReadOnlySpan<byte> message, ulong context)
    {
        if (message.Length > Capabilities.MaxMessageLength)
            throw new ArgumentException($"A message has at most {Capabilities.MaxMessageLength} bytes here; got {message.Length}.", nameof(message));
        if (_messages >= Capabilities.QueueDepth || !_free.TryPop(out int slot))
            return false;
        _messages++;
        byte[] copy = ArrayPool<byte>.Shared.Rent(message.Length);
        message.CopyTo(copy);
        Start(slot, new Operation(OperationState.Waiting, new FabricWrite { Route = route, Context = context, Length = message.Length }, copy, message.Length));
        return true;
    }

    /// <inheritdoc/>
    public int Poll(Span<FabricCompletion> completions)
    {
        TakeArrivals();
        if (_due.Count == 0 && _flushed.Count == 0)
        {
            _wire.Step();
            TakeArrivals();
        }

        while (_due.TryPeek(out int slot) && TryDeliver(slot))
            _due.Dequeue();
        int taken = 0;
        while (taken < completions.Length && _flushed.TryDequeue(out completions[taken]))
            taken++;
        // An empty span is for asking whether there is anything, which the loopback NIC may do as well.
        if (taken < completions.Length || completions.IsEmpty)
            taken += _inner.Poll(completions[taken..]);
        foreach (ref readonly FabricCompletion completion in completions[..taken])
        {
            _writes -= completion.Kind == FabricCompletionKind.Write ? completion.Count : 0;
            _messages -= completion.Kind == FabricCompletionKind.MessageSent ? 1 : 0;
        }

        return taken;
    }

    /// <inheritdoc/>
    public void ReturnMessage(in FabricCompletion message) => _inner.ReturnMessage(in message);

    /// <inheritdoc/>
    public bool TryArm(out long dueTimestamp)
    {
        dueTimestamp = long.MaxValue;
        // Polls are what moves the clock: whoever has something on the way goes on polling.
        return _onTheWay == 0 && _due.Count == 0 && _flushed.Count == 0 && _inner.TryArm(out dueTimestamp);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _inner.Dispose();
        foreach (ref Operation operation in _operations.AsSpan())
            operation.Release();
    }

    /// <inheritdoc/>
    void ISimulationHandler.Handle(long argument)
    {
        lock (_lock)
            _arrived.Enqueue((int)argument);
    }

    private void Start(int slot, in Operation operation)
    {
        _operations[slot] = operation;
        if (_addresses.TryGetValue(operation.Write.Route, out string? address)
            && _wire.TrySend(_nic, address, Math.Max(0, operation.Write.Length), this, slot))
        {
            _onTheWay++;
        }
        else
        {
            _due.Enqueue(slot);
        }
    }

    private void TakeArrivals()
    {
        lock (_lock)
        {
            while (_arrived.TryDequeue(out int slot))
            {
                _onTheWay--;
                if (_operations[slot].State == OperationState.Flushed)
                    Free(slot);
                else
                    _due.Enqueue(slot);
            }
        }
    }

    private bool TryDeliver(int slot)
    {
        ref Operation operation = ref _operations[slot];
        bool done = operation.State == OperationState.Flushed
            || (operation.Message is { } message
                ? _inner.TrySend(operation.Write.Route, message.AsSpan(0, operation.MessageLength), operation.Write.Context)
                : _inner.PostWrites(new ReadOnlySpan<FabricWrite>(in operation.Write)) == 1);
        if (done)
            Free(slot);
        return done;
    }

    private void Flush(ref Operation operation)
    {
        _flushed.Enqueue(new FabricCompletion
        {
            Kind = operation.Message is null ? FabricCompletionKind.Write : FabricCompletionKind.MessageSent,
            Status = FabricStatus.Flushed,
            Route = operation.Write.Route,
            Context = operation.Write.Context,
            Count = 1,
        });
        operation.State = OperationState.Flushed;
    }

    private void Free(int slot)
    {
        _operations[slot].Release();
        _free.Push(slot);
    }

    private enum OperationState
    {
        None,
        Waiting,
        Flushed,
    }

    private struct Operation(OperationState state, FabricWrite write, byte[]? message, int messageLength)
    {
        public OperationState State = state;
        public FabricWrite Write = write;
        public byte[]? Message = message;
        public int MessageLength = messageLength;

        public void Release()
        {
            if (Message is not null)
                ArrayPool<byte>.Shared.Return(Message);
            this = default;
        }
    }
}
