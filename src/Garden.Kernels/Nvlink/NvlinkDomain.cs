using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Garden.Fabric;
using Garden.Kernels.Native;

namespace Garden.Kernels.Nvlink;

/// <summary>One NIC of the <c>nvlink</c> fabric: a stream of a device that copies into memory of peers on this host.</summary>
/// <remarks>
/// <para>A batch of writes is checked against keys and links, put on the stream (a copy engine's copy for each long write, one kernel
/// for all short ones) and followed by a store of its number into this NIC's segment. Once that number is seen, the writes are
/// reported and their immediates are handed to the peers' segments. See <see cref="Segment"/> for what is shared.</para>
/// <para>What is here belongs to the worker, but for <see cref="LocalRegions"/>, which locks.</para>
/// </remarks>
internal sealed unsafe partial class NvlinkDomain : IFabricDomain
{
    /// <summary>How often peers' processes and links are looked at.</summary>
    private static readonly long s_checkTicks = Stopwatch.Frequency / 10;

    /// <summary>How long a batch may take until the stream is asked whether it has failed.</summary>
    private static readonly long s_suspectTicks = Stopwatch.Frequency / 1000;

    /// <summary>How long a peer is waited for that is fenced out: its copies take milliseconds. Behind a kernel that waits they may land later, and memory is not used again before: <see cref="Unregister"/> waits for them by itself.</summary>
    private static readonly TimeSpan s_fenceLimit = TimeSpan.FromMilliseconds(100);

    /// <summary>NICs whose streams were held up when they were disposed: nothing of them is freed.</summary>
    private static readonly List<NvlinkDomain> s_leaked = [];

    private readonly KernelDevice _device;
    private readonly NvlinkOptions _options;
    private readonly OwnSegment _segment;
    private readonly LocalRegions _regions;
    private readonly WakeSocket _socket;
    private readonly DeviceStream _stream;
    private readonly DeviceKernel<ExecuteWritesArgs> _kernel;

    /// <summary>With which the kernel tells of its own end; null where the stream does that.</summary>
    private readonly DeviceBuffer? _tickets;
    private readonly Arrivals _arrivals;
    private readonly Dictionary<SharedMemoryName, NvlinkPeer> _peers = [];
    private readonly Queue<int> _freeRoutes = new();
    private readonly List<NvlinkRoute> _closing = [];
    private readonly Ring<FabricCompletion> _completions = new(1024);
    private NvlinkRoute?[] _routes = new NvlinkRoute?[8];
    private int _routeCount;
    private long _nextCheck;
    private bool _failed;
    private bool _disposed;

    public NvlinkDomain(KernelDevice device, NvlinkOptions options)
    {
        _device = device;
        _options = options;
        var opened = new Stack<IDisposable>();
        try
        {
            opened.Push(_segment = new OwnSegment(device));
            opened.Push(_socket = new WakeSocket(_segment.Name));
            opened.Push(_stream = device.CreateUrgentStream());
            opened.Push(_kernel = device.Load<ExecuteWritesArgs>(ExecuteWrites.Run));
            for (int i = 0; i < _batches.Length; i++)
                opened.Push(_batches[i] = new WriteBatch(device));
            if (device is CudaDevice)
            {
                opened.Push(_tickets = device.Allocate(WriteBatch.TicketWords * sizeof(uint)));
                _tickets.Write(new byte[WriteBatch.TicketWords * sizeof(uint)]);
            }
        }
        catch (Exception exception)
        {
            while (opened.TryPop(out IDisposable? one))
                one.Dispose();
            if (exception is not CudaException cuda)
                throw;
            throw new FabricException($"The nvlink NIC on {device.Name} could not be opened: {cuda.Message}", providerCode: cuda.Code, innerException: cuda);
        }

        _regions = new LocalRegions(device, _segment, writer => _socket.Wake(WakeSocket.AddressOf(writer)));
        _arrivals = new Arrivals(_segment);
        Address = new NvlinkAddress(device is CudaDevice, _segment.Name).ToString();
        Capabilities = new FabricCapabilities
        {
            Completion = FabricCompletionLevel.RemotePlaced,
            // The short writes of a batch are one kernel: they land in any order among each other.
            Ordered = false,
            QueueDepth = options.QueueDepth,
            MaxMessageLength = Segment.MessageBytes,
            MaxWriteLength = WriteBatch.MostBytes,
        };
    }

    /// <inheritdoc/>
    public string Address { get; }

    /// <inheritdoc/>
    public FabricCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public int WaitDescriptor => _socket.Descriptor;

    /// <inheritdoc/>
    public RegionKeys Register(nint address, long length, MemoryKind kind)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _regions.Register(address, length, kind);
    }

    /// <inheritdoc/>
    public void Unregister(RegionKeys keys)
    {
        if (!_disposed)
            _regions.Unregister(keys.LocalKey);
    }

    /// <inheritdoc/>
    public int OpenRoute(string remoteAddress)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var address = NvlinkAddress.Parse(remoteAddress);
        if (address.IsCuda != _device is CudaDevice)
            throw new DescriptorException($"The nvlink NIC {remoteAddress} is on {(address.IsCuda ? "a CUDA device" : "the CPU accelerator")} and this one on {_device.Name}; open both on the same kind of device.");
        if (!_peers.TryGetValue(address.Segment, out NvlinkPeer? peer))
            _peers.Add(address.Segment, peer = new NvlinkPeer(_device, address.Segment, _options.MapsOwnProcess));
        if (!_freeRoutes.TryDequeue(out int index))
            index = _routeCount++;
        if (index >= _routes.Length)
            Array.Resize(ref _routes, 2 * _routes.Length);
        _routes[index] = new NvlinkRoute(index, peer, peer.OpenLink(_segment.Name));
        _arrivals.Attribute(peer.Name, index);
        return index;
    }

    /// <inheritdoc/>
    public void CloseRoute(int route)
    {
        if (FindRoute(route) is not { } open)
            return;
        DropRoute(open);
        Advance(open);
        EndPending(open, FabricStatus.Flushed, 0);
        _routes[route] = null;
        _freeRoutes.Enqueue(route);
        _arrivals.Attribute(open.Peer.Name, Array.Find(_routes, other => other?.Peer == open.Peer)?.Index ?? -1);
        _closing.Add(open);
        CloseLinks();
    }

    /// <inheritdoc/>
    public void FencePeer(int route)
    {
        if (FindRoute(route) is { } open)
            _arrivals.TryFence(open.Peer.Name, s_fenceLimit);
    }

    /// <inheritdoc/>
    public void ReturnMessage(in FabricCompletion message)
    {
        if (!_disposed)
            _arrivals.Return(message.MessageToken);
    }

    /// <inheritdoc/>
    public string Explain(FabricStatus status, int providerCode) => (status, providerCode) switch
    {
        (FabricStatus.RemoteAccess, NvlinkPeer.NotShareable) => "the memory cannot be opened by another process: it is host memory, or device memory that cuMemAlloc did not give (a virtual-memory pool, say), or its process has ended. Let the peer register memory of KernelDevice.Allocate.",
        (FabricStatus.RemoteAccess, > 0) => $"the driver refused to open the peer's memory: {CudaException.Describe((CUresult)providerCode)}",
        (FabricStatus.NicDown, > 0) => $"the device's stream has failed: {CudaException.Describe((CUresult)providerCode)}",
        (FabricStatus.RemoteAccess, _) => "the peer has unregistered or renewed the region, or the range lies outside it; ask it for a new descriptor.",
        (FabricStatus.LocalAccess, _) => "the source is not registered with this NIC any more; keep it registered until its transfers have ended.",
        (FabricStatus.RouteDown, _) => $"the peer's process or engine has ended, it has fenced this one out, or nothing was left to reach it with ({Segment.Links} routes lead to a NIC at most; descriptors: `ulimit -n`); see Peer.State and connect again.",
        _ => "its route was closed before it could be announced.",
    };

    /// <summary>For tests that hold it up.</summary>
    internal DeviceStream Stream => _stream;

    /// <summary>True while a registration's key is good.</summary>
    internal bool IsRegistered(RegionKeys keys) => _regions.IsKnown(keys.LocalKey);

    /// <summary>Ends the NIC: what is posted is reported as <see cref="FabricStatus.NicDown"/>, and nothing goes in or out any more.</summary>
    internal void Fail(int code)
    {
        if (_failed || _disposed)
            return;
        _failed = true;
        _segment.State = SegmentState.Failed;
        // Whoever waits for this stream's copies waits no longer: they are done, or the device has failed.
        if (TrySynchronize(s_fenceLimit))
            Volatile.Write(ref _segment.Header->Done, ulong.MaxValue);
        foreach (NvlinkRoute? route in _routes)
        {
            if (route is not null)
                EndPending(route, FabricStatus.NicDown, code);
        }

        Open.Clear();
        _completions.Add(new FabricCompletion { Kind = FabricCompletionKind.DomainFailed, Status = FabricStatus.NicDown, Route = -1, Count = 1, ProviderCode = code });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _segment.State = SegmentState.Closed;
        // Nothing of this NIC is under way any more, then nothing that leads here.
        if (!TrySynchronize(LinkDrain.Deadline))
        {
            // What the stream may still touch is given up, as is memory of a worker that does not stop; links stay as they are.
            lock (s_leaked)
                s_leaked.Add(this);
            throw new FabricException($"Copies of the nvlink NIC {Address} were still running after {LinkDrain.Deadline}: its stream is held up, by a kernel that waits for something. Its memory is leaked; do not free what is registered with it.");
        }

        foreach (NvlinkRoute route in _routes.OfType<NvlinkRoute>().Concat(_closing))
            route.Close();
        if (!_arrivals.TryFenceAll(LinkDrain.Deadline))
        {
            lock (s_leaked)
                s_leaked.Add(this);
            throw new FabricException($"Copies to the nvlink NIC {Address} were still running after {LinkDrain.Deadline}: a peer's stream is held up, by a kernel that waits for something. Its memory is leaked; do not free what is registered with it.");
        }

        // Each by itself: what one cannot give back, in a context that is ruined say, must not keep the others.
        ExceptionDispatchInfo? failure = null;
        foreach (IDisposable? part in (IDisposable?[])[_regions, .. _peers.Values, _arrivals, .. _batches, _tickets, _kernel, _stream, _socket, _segment])
        {
            try
            {
                part?.Dispose();
            }
            catch (Exception exception)
            {
                failure ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        failure?.Throw();
    }

    private NvlinkRoute? FindRoute(int route) => (uint)route < (uint)_routes.Length ? _routes[route] : null;

    /// <summary>Waits for the stream; false when it has not come to its end in time.</summary>
    private bool TrySynchronize(TimeSpan limit)
    {
        try
        {
            long started = Stopwatch.GetTimestamp();
            var spin = default(SpinWait);
            while (!_stream.IsIdle)
            {
                if (Stopwatch.GetElapsedTime(started) > limit)
                    return false;
                spin.SpinOnce();
            }
        }
        catch (CudaException)
        {
            // The context is ruined: nothing runs in it any more.
        }

        return true;
    }

    /// <summary>Gives links of closed routes back once nothing of them is under way, and forgets peers without routes.</summary>
    private void CloseLinks()
    {
        for (int i = _closing.Count - 1; i >= 0; i--)
        {
            NvlinkRoute route = _closing[i];
            if (_segment.Done < route.Posted)
                continue;
            _closing.RemoveAt(i);
            route.Close();
            if (route.Peer.Routes.Count != 0)
                continue;
            _peers.Remove(route.Peer.Name);
            route.Peer.Dispose();
        }
    }

    /// <summary>Notes that a route is gone, to be told once.</summary>
    private void NoteFailure(NvlinkRoute route)
    {
        if (route.HasFailed || _failed)
            return;
        route.HasFailed = true;
        _completions.Add(new FabricCompletion { Kind = FabricCompletionKind.RouteFailed, Status = FabricStatus.RouteDown, Route = route.Index, Count = 1 });
    }

    /// <summary>Reports what is pending as ended before its time, but for what has failed by itself.</summary>
    private void EndPending(NvlinkRoute route, FabricStatus status, int code)
    {
        for (; route.Pending.Count != 0; route.Pending.RemoveFirst())
        {
            ref PendingWrite write = ref route.Pending.First;
            bool isOk = write.Status == FabricStatus.Ok;
            Report(route.Index, write.Context, isOk ? status : write.Status, isOk ? code : write.Code, write.Count);
        }
    }

    /// <summary>Reports the end of writes, merged with the one before when both succeeded under one context.</summary>
    private void Report(int route, ulong context, FabricStatus status, int code = 0, int count = 1)
    {
        if (status == FabricStatus.Ok && _completions.Count != 0)
        {
            ref FabricCompletion last = ref _completions.Last;
            if (last.Kind == FabricCompletionKind.Write && last.Status == FabricStatus.Ok && last.Context == context && last.Route == route)
            {
                last.Count += count;
                return;
            }
        }

        _completions.Add(new FabricCompletion { Kind = FabricCompletionKind.Write, Status = status, Route = route, Context = context, Count = count, ProviderCode = code });
    }
}
