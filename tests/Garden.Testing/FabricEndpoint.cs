using System.Runtime.InteropServices;
using Garden.Fabric;

namespace Garden.Testing;

/// <summary>One NIC under test with a registered buffer, that counts everything its polls report.</summary>
public sealed unsafe class FabricEndpoint : IDisposable
{
    private readonly FabricCompletion[] _completions = new FabricCompletion[64];
    private readonly List<FabricCompletion> _heldMessages = [];
    private long _posted;

    /// <summary>Wraps an open NIC and registers a buffer of so many bytes of host memory with it.</summary>
    public FabricEndpoint(IFabricDomain domain, TestSignal signal, long bufferBytes = 4 << 20)
        : this(domain, signal, new HostEndpointMemory(bufferBytes))
    {
    }

    /// <summary>Wraps an open NIC and registers memory with it, which the endpoint disposes.</summary>
    public FabricEndpoint(IFabricDomain domain, TestSignal signal, EndpointMemory memory)
    {
        Domain = domain;
        Signal = signal;
        Memory = memory;
        Keys = domain.Register(memory.Address, memory.Length, memory.Kind);
    }

    /// <summary>The NIC.</summary>
    public IFabricDomain Domain { get; }

    /// <summary>What wakes it.</summary>
    public TestSignal Signal { get; }

    /// <summary>The registered memory.</summary>
    public EndpointMemory Memory { get; }

    /// <summary>The registered memory, where it is the host's.</summary>
    public NativeBuffer Buffer => ((HostEndpointMemory)Memory).Buffer;

    /// <summary>The keys of <see cref="Memory"/>.</summary>
    public RegionKeys Keys { get; set; }

    /// <summary>Writes that were accepted.</summary>
    public long Posted => _posted;

    /// <summary>Writes reported, by status.</summary>
    public Dictionary<FabricStatus, long> Ended { get; } = [];

    /// <summary>Writes reported, by context.</summary>
    public Dictionary<ulong, long> EndedByContext { get; } = [];

    /// <summary>Immediates received, with how often.</summary>
    public Dictionary<uint, long> Immediates { get; } = [];

    /// <summary>Immediates in the order they came.</summary>
    public List<uint> Order { get; } = [];

    /// <summary>Messages received, copied.</summary>
    public List<byte[]> Messages { get; } = [];

    /// <summary>Messages whose end was reported, by status.</summary>
    public Dictionary<FabricStatus, long> Sent { get; } = [];

    /// <summary>How many routes were reported as failed.</summary>
    public int FailedRoutes { get; private set; }

    /// <summary>How often the NIC was reported as failed.</summary>
    public int FailedDomain { get; private set; }

    /// <summary>True to keep message buffers instead of giving them back.</summary>
    public bool KeepMessages { get; set; }

    /// <summary>Called for every immediate, before it is counted.</summary>
    public Action<uint>? OnImmediate { get; set; }

    /// <summary>Writes reported as ended, in any way.</summary>
    public long EndedTotal => Ended.Values.Sum();

    /// <summary>Writes reported as failed.</summary>
    public long EndedFailed => EndedTotal - Ended.GetValueOrDefault(FabricStatus.Ok);

    /// <summary>Immediates received.</summary>
    public long ImmediateTotal => Order.Count;

    /// <summary>Polls once and returns how many completions there were.</summary>
    public int Step()
    {
        int count = Domain.Poll(_completions);
        foreach (ref readonly FabricCompletion completion in _completions.AsSpan(0, count))
            Note(in completion);
        return count;
    }

    /// <summary>A write from this buffer to a peer's.</summary>
    public FabricWrite Write(int route, long from, FabricEndpoint to, long at, long length, uint immediate = 0, ulong context = 1) => new()
    {
        Route = route,
        LocalAddress = (ulong)Memory.Address + (ulong)from,
        LocalKey = Keys.LocalKey,
        RemoteAddress = to.Keys.RemoteBase + (ulong)at,
        RemoteKey = to.Keys.RemoteKey,
        Length = length,
        Immediate = immediate,
        Context = context,
    };

    /// <summary>Posts what fits and returns how many writes that were.</summary>
    public int Post(params ReadOnlySpan<FabricWrite> writes)
    {
        int accepted = Domain.PostWrites(writes);
        Assert.InRange(accepted, 0, writes.Length);
        _posted += accepted;
        return accepted;
    }

    /// <summary>Posts all writes, polling this and the other endpoints while there is back-pressure.</summary>
    public void PostAll(ReadOnlySpan<FabricWrite> writes, Deadline deadline, params FabricEndpoint[] others)
    {
        while (!writes.IsEmpty)
        {
            writes = writes[Post(writes)..];
            if (writes.IsEmpty)
                return;
            deadline.Check(ToString);
            Step();
            foreach (FabricEndpoint other in others)
                other.Step();
        }
    }

    /// <summary>Gives kept messages back.</summary>
    public void ReturnKeptMessages()
    {
        foreach (ref readonly FabricCompletion message in CollectionsMarshal.AsSpan(_heldMessages))
            Domain.ReturnMessage(in message);
        _heldMessages.Clear();
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Domain.Address}: posted {_posted}, ended {{{string.Join(", ", Ended)}}}, immediates {Order.Count}, messages {Messages.Count}, sent {{{string.Join(", ", Sent)}}}, failed routes {FailedRoutes}";

    /// <inheritdoc/>
    public void Dispose()
    {
        Domain.Dispose();
        Memory.Dispose();
    }

    private void Note(in FabricCompletion completion)
    {
        Assert.True(completion.Count >= 1);
        switch (completion.Kind)
        {
            case FabricCompletionKind.Write:
                Add(Ended, completion.Status, completion.Count);
                Add(EndedByContext, completion.Context, completion.Count);
                Assert.True(EndedTotal <= _posted || _posted == 0, $"More writes ended than were posted: {this}");
                break;
            case FabricCompletionKind.Immediate:
                OnImmediate?.Invoke(completion.Immediate);
                Add(Immediates, completion.Immediate, completion.Count);
                for (int i = 0; i < completion.Count; i++)
                    Order.Add(completion.Immediate);
                break;
            case FabricCompletionKind.Message:
                // Safe: the domain says how long the buffer is, which is ours until it is given back.
                Messages.Add(new ReadOnlySpan<byte>((void*)completion.Message, completion.MessageLength).ToArray());
                if (KeepMessages)
                    _heldMessages.Add(completion);
                else
                    Domain.ReturnMessage(in completion);
                break;
            case FabricCompletionKind.MessageSent:
                Add(Sent, completion.Status, 1);
                break;
            case FabricCompletionKind.RouteFailed:
                FailedRoutes++;
                break;
            case FabricCompletionKind.DomainFailed:
                FailedDomain++;
                break;
            default:
                Assert.Fail($"Completion kind {completion.Kind} is unknown.");
                break;
        }
    }

    private static void Add<TKey>(Dictionary<TKey, long> counts, TKey key, long count)
        where TKey : notnull => counts[key] = counts.GetValueOrDefault(key) + count;
}
