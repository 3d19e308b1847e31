using System.Runtime.InteropServices;
using Garden.Fabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>A fabric whose NICs lose messages, spoil completions or break, as a test wants it.</summary>
internal sealed class AlteredFabric(IFabric inner) : IFabric
{
    private int _lost;

    public string Name => inner.Name;

    /// <summary>Says of a message whether it is lost on its way, though the sender hears that it was sent.</summary>
    public Func<ControlKind, bool> Loses { get; init; } = static _ => false;

    /// <summary>How many messages were lost.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <summary>Changes what a poll has reported.</summary>
    public FabricCompletionChange Changes { get; init; } = static (ref _) => { };

    /// <summary>True: the next poll throws.</summary>
    public bool Broken { get; set; }

    /// <summary>The NICs that were opened.</summary>
    public IReadOnlyList<IFabricDomain> Domains { get; private set; } = [];

    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
    {
        Domains = inner.Open(context);
        return [.. Domains.Select(domain => new AlteredDomain(this, domain))];
    }

    private sealed class AlteredDomain(AlteredFabric owner, IFabricDomain inner) : DelegatingDomain(inner)
    {
        private readonly Queue<ulong> _lost = [];

        public override bool TrySend(int route, ReadOnlySpan<byte> message, ulong context)
        {
            if (!ControlHeader.TryParse(message, out ControlHeader header) || !owner.Loses(header.Kind))
                return base.TrySend(route, message, context);
            Interlocked.Increment(ref owner._lost);
            _lost.Enqueue(context);
            return true;
        }

        public override int Poll(Span<FabricCompletion> completions)
        {
            if (owner.Broken)
                throw new InvalidOperationException("broken on purpose");
            int taken = 0;
            while (taken < completions.Length && _lost.TryDequeue(out ulong context))
                completions[taken++] = new FabricCompletion { Kind = FabricCompletionKind.MessageSent, Route = -1, Count = 1, Context = context };
            taken += base.Poll(completions[taken..]);
            foreach (ref FabricCompletion completion in completions[..taken])
                owner.Changes(ref completion);
            return taken;
        }

        public override bool TryArm(out long dueTimestamp)
        {
            dueTimestamp = 0;
            return _lost.Count == 0 && base.TryArm(out dueTimestamp);
        }
    }
}

/// <summary>Changes a completion.</summary>
internal delegate void FabricCompletionChange(ref FabricCompletion completion);

/// <summary>An end of a fabric without an engine, for what engines never send.</summary>
internal sealed class RawEnd : IDisposable
{
    private readonly TestSignal _signal = new();
    private readonly IFabricDomain _domain;
    private readonly FabricCompletion[] _completions = new FabricCompletion[64];
    private readonly string _fabric;

    public RawEnd(IFabric fabric)
    {
        _fabric = fabric.Name;
        _domain = fabric.Open(new FabricOpenContext(1, 0, _signal))[0];
    }

    /// <summary>Messages that have come, as bytes.</summary>
    public List<byte[]> Received { get; } = [];

    public string Address => $"{_fabric}://{_domain.Address}";

    public int OpenRoute(NetAddress address) => _domain.OpenRoute(address.Nics[0]);

    public async Task SendAsync(int route, byte[] message) => await FabricEngines.UntilAsync(
        () =>
        {
            Poll();
            return _domain.TrySend(route, message, 0);
        },
        "room to send");

    public void Poll()
    {
        int count = _domain.Poll(_completions);
        foreach (ref readonly FabricCompletion completion in _completions.AsSpan(0, count))
        {
            if (completion.Kind != FabricCompletionKind.Message)
                continue;
            byte[] message = new byte[completion.MessageLength];
            Marshal.Copy(completion.Message, message, 0, message.Length);
            Received.Add(message);
            _domain.ReturnMessage(in completion);
        }
    }

    public void Dispose()
    {
        _domain.Dispose();
        _signal.Dispose();
    }
}
