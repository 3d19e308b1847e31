using Garden.Fabric;
using Garden.Fabric.Loopback;

namespace Garden.Perf;

/// <summary>
/// A fabric whose NIC moves no bytes: it reads and checksums every field of every posted write and completes it. What is left is
/// the engine's own cost. Connections and messages go over an inner loopback NIC.
/// </summary>
internal sealed class CountingFabric(LoopbackFabric inner) : IFabric
{
    public List<CountingDomain> Domains { get; } = [];

    public string Name => inner.Name;

    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
    {
        foreach (IFabricDomain domain in inner.Open(context))
            Domains.Add(new CountingDomain(domain));
        return Domains;
    }
}

/// <summary>One counting NIC.</summary>
internal sealed class CountingDomain(IFabricDomain inner) : IFabricDomain
{
    private const int Depth = 4096;
    private readonly (ulong Context, int Count)[] _completed = new (ulong, int)[Depth];
    private int _head;
    private int _tail;
    private long _posted;
    private long _checksum;
    private long _lastPost;
    private long _lastPosted;
    private long _firstPost;

    /// <summary>When set, each post notes its time.</summary>
    public bool Timestamps { get; set; }

    public long Posted => Volatile.Read(ref _posted);

    public long Checksum => Volatile.Read(ref _checksum);

    /// <summary>Stopwatch timestamp of the latest post.</summary>
    public long LastPost => Volatile.Read(ref _lastPost);

    /// <summary>Stopwatch timestamp of the first post since it was set to 0.</summary>
    public long FirstPost
    {
        get => Volatile.Read(ref _firstPost);
        set => Volatile.Write(ref _firstPost, value);
    }

    /// <summary>Stopwatch timestamp of the latest post's end.</summary>
    public long LastPosted => Volatile.Read(ref _lastPosted);

    public string Address => inner.Address;

    public FabricCapabilities Capabilities { get; } = inner.Capabilities with { QueueDepth = Depth };

    public int WaitDescriptor => inner.WaitDescriptor;

    public RegionKeys Register(nint address, long length, MemoryKind kind) => inner.Register(address, length, kind);

    public void Unregister(RegionKeys keys) => inner.Unregister(keys);

    public int OpenRoute(string remoteAddress) => inner.OpenRoute(remoteAddress);

    public void CloseRoute(int route) => inner.CloseRoute(route);

    public void FencePeer(int route) => inner.FencePeer(route);

    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        if (Timestamps)
        {
            Volatile.Write(ref _lastPost, System.Diagnostics.Stopwatch.GetTimestamp());
            if (FirstPost == 0)
                FirstPost = LastPost;
        }

        ulong sum = 0;
        foreach (ref readonly FabricWrite write in writes)
        {
            sum = (sum * 31) + (write.LocalAddress ^ write.LocalKey ^ write.RemoteAddress ^ write.RemoteKey
                ^ (ulong)write.Length ^ write.Context ^ (uint)write.Route ^ ((ulong)write.Immediate << 32));
            int last = (_tail - 1) & (Depth - 1);
            if (_tail != _head && _completed[last].Context == write.Context)
                _completed[last].Count++;
            else
                _completed[_tail++ & (Depth - 1)] = (write.Context, 1);
            _tail &= Depth - 1;
        }

        _checksum += (long)sum;
        if (Timestamps)
            Volatile.Write(ref _lastPosted, System.Diagnostics.Stopwatch.GetTimestamp());
        Volatile.Write(ref _posted, _posted + writes.Length);
        return writes.Length;
    }

    public bool TrySend(int route, ReadOnlySpan<byte> message, ulong context) => inner.TrySend(route, message, context);

    public int Poll(Span<FabricCompletion> completions)
    {
        int count = 0;
        while (_head != _tail && count < completions.Length)
        {
            (ulong context, int writes) = _completed[_head];
            _head = (_head + 1) & (Depth - 1);
            completions[count++] = new FabricCompletion { Kind = FabricCompletionKind.Write, Route = -1, Context = context, Count = writes };
        }

        return count + inner.Poll(completions[count..]);
    }

    public void ReturnMessage(in FabricCompletion message) => inner.ReturnMessage(in message);

    public bool TryArm(out long dueTimestamp)
    {
        dueTimestamp = long.MaxValue;
        return _head == _tail && inner.TryArm(out dueTimestamp);
    }

    public void Dispose() => inner.Dispose();
}
