using System.Diagnostics;
using System.Globalization;

namespace Garden.Fabric.Loopback;

/// <summary>One NIC of the loopback fabric, as its worker uses it: routes, what is posted and not delivered, completions.</summary>
/// <remarks>
/// The sender's thread does all the work. Without reordering, delay, pacing or held deliveries a write is checked, copied and
/// announced inside <see cref="PostWrites"/>; otherwise, or when the receiver has no room, it waits among the pending operations
/// and <see cref="Poll"/> delivers it. What other threads may touch is in <see cref="LoopbackPort"/>, <see cref="LoopbackLink"/> and
/// <see cref="RegionRegistry"/>; the rest of this class belongs to one thread, without locks.
/// </remarks>
internal sealed partial class LoopbackDomain : IFabricDomain
{
    private readonly LoopbackNetwork _network;
    private readonly LoopbackOptions _options;
    private readonly LoopbackPort _port;
    private readonly RegionRegistry _regions;
    private readonly DeliverySection _section;
    private readonly CompletionQueue _completions;
    private readonly Queue<int> _freeRoutes = new();
    private readonly int _depth;
    private readonly bool _deferred;
    private LoopbackRoute?[] _routes = new LoopbackRoute?[8];
    private int _routeCount;
    private int _outstandingWrites;
    private int _outstandingMessages;
    private int _untoldRoutes;
    private bool _failureTold;
    private bool _disposed;

    public LoopbackDomain(LoopbackNetwork network, LoopbackOptions options, LoopbackPort port)
    {
        _network = network;
        _options = options;
        _port = port;
        _regions = network.Regions;
        _section = port.Section;
        _depth = options.QueueDepth;
        _deferred = options.IsDeferred;
        _completions = new CompletionQueue(2 * _depth);
        _wakes = new int[_routes.Length];
        _operations = new PendingOperation[2 * _depth];
        _order = new int[2 * _depth];
        _freeOperations = new int[2 * _depth];
        for (int i = 0; i < _freeOperations.Length; i++)
            _freeOperations[i] = _freeOperations.Length - 1 - i;
        _delayTicks = (long)(options.Delay.TotalSeconds * Stopwatch.Frequency);
        _ticksPerByte = options.BandwidthBytesPerSecond > 0 ? Stopwatch.Frequency / options.BandwidthBytesPerSecond : 0;
        // By address, so that the lanes of one device do not shuffle alike.
        if (options.ReorderSeed is int seed)
            _random = new Random(HashCode(seed, port.Address));
        Capabilities = new FabricCapabilities
        {
            Completion = options.Completion,
            Ordered = options.ReorderSeed is null,
            MaxWriteLength = options.MaxWriteLength,
            QueueDepth = _depth,
            MaxMessageLength = options.MaxMessageLength,
            LinkGigabitsPerSecond = options.LinkGigabitsPerSecond,
        };
    }

    /// <inheritdoc/>
    public string Address => _port.Address;

    /// <inheritdoc/>
    public FabricCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public int WaitDescriptor => -1;

    /// <inheritdoc/>
    public RegionKeys Register(nint address, long length, MemoryKind kind)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (kind != MemoryKind.Host)
            throw new FabricException($"The loopback fabric copies with the CPU and cannot register {kind} memory; register host memory, or use a fabric that reaches device memory.");
        if (address == 0 || length <= 0)
            throw new FabricException($"A region has an address and at least 1 byte; got 0x{address:x} and {length} bytes.");
        return _regions.Add(_port.Id, address, length);
    }

    /// <inheritdoc/>
    public void Unregister(RegionKeys keys) => _network.Revoke(_port, keys.LocalKey);

    /// <inheritdoc/>
    public int OpenRoute(string remoteAddress)
    {
        ArgumentNullException.ThrowIfNull(remoteAddress);
        ObjectDisposedException.ThrowIf(_disposed, this);
        int slash = remoteAddress.LastIndexOf('/');
        if (slash <= 0 || !int.TryParse(remoteAddress.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int nic)
            || nic >= NetAddress.MaxNics || remoteAddress.Length > 255 || remoteAddress.AsSpan().ContainsAnyExceptInRange('!', '~') || remoteAddress.Contains(';', StringComparison.Ordinal))
        {
            throw new DescriptorException($"A loopback NIC's address is \"name/0\" to \"name/{NetAddress.MaxNics - 1}\"; got \"{(remoteAddress.Length > 80 ? remoteAddress[..80] : remoteAddress)}\".");
        }

        if (!_freeRoutes.TryDequeue(out int index))
            index = _routeCount++;
        if (index >= _routes.Length)
        {
            Array.Resize(ref _routes, 2 * _routes.Length);
            Array.Resize(ref _wakes, _routes.Length);
        }

        var route = new LoopbackRoute(index, remoteAddress, _network.OpenLink(_port, remoteAddress, index));
        _routes[index] = route;
        TryResolve(route);
        return index;
    }

    /// <inheritdoc/>
    public void CloseRoute(int route)
    {
        if (FindRoute(route) is not { } open)
            return;
        DropPending(operation => operation.Write.Route == route, FabricStatus.Flushed);
        if (open.Untold != FabricStatus.Ok)
            _untoldRoutes--;
        _routes[route] = null;
        _network.CloseLink(_port, open.Address, route);
        _freeRoutes.Enqueue(route);
    }

    /// <inheritdoc/>
    public void FencePeer(int route)
    {
        // A route without a target has heard of nobody, and nobody it could name has sent anything.
        if (FindRoute(route) is { Target: { } peer })
            _network.Fence(_port, peer);
    }

    /// <inheritdoc/>
    public void ReturnMessage(in FabricCompletion message)
    {
        if (_disposed)
            return;
        _port.Messages.GiveBack(message.MessageToken);
        _port.WakeBlocked();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _network.Detach(_port);
        for (int i = 0; i < _pendingCount; i++)
            FreeStaged(ref _operations[_order[i]]);
        _pendingCount = 0;
        _port.Dispose();
    }

    /// <summary>FNV-1a: string.GetHashCode differs from run to run.</summary>
    private static int HashCode(int seed, string text)
    {
        uint hash = 2166136261 ^ (uint)seed;
        foreach (char c in text)
            hash = (hash ^ c) * 16777619;
        return (int)hash;
    }

    private LoopbackRoute? FindRoute(int route) => (uint)route < (uint)_routes.Length ? _routes[route] : null;

    private bool TryResolve(LoopbackRoute route)
    {
        if (route.Target is not null)
            return true;
        LoopbackLink link = route.Link;
        route.Target = _network.Resolve(_port, route.Address, route.Index, ref link);
        if (link != route.Link)
        {
            // A new wire: fences since its beginning end this route like any that was opened before them.
            route.Link = link;
            route.FenceEpoch = 0;
        }

        return route.Target is not null;
    }

    /// <summary>Notes that a route is gone, to be told once by the next poll.</summary>
    private void NoteFailure(LoopbackRoute route, FabricStatus status)
    {
        if (route.HasFailed)
            return;
        route.HasFailed = true;
        route.Untold = status;
        _untoldRoutes++;
    }
}
