using Garden.Fabric;

namespace Garden.Testing;

/// <summary>A wire of the fabric under test: opens engines on it and injects what faults it can.</summary>
public abstract class FabricHarness : IDisposable
{
    private readonly List<IDisposable> _opened = [];

    /// <summary>A well-formed address nobody listens at.</summary>
    public abstract string AbsentAddress { get; }

    /// <summary>Round trips of the parking test; fewer where each takes long.</summary>
    public virtual int RoundTrips => 20_000;

    /// <summary>Opens the NICs of a new engine, each with a registered buffer.</summary>
    public FabricEndpoint[] Open(string name, int nics = 1, long bufferBytes = 4 << 20)
    {
        var signal = new TestSignal();
        _opened.Add(signal);
        IReadOnlyList<IFabricDomain> domains = Create(name, nics).Open(new FabricOpenContext((ulong)name.GetHashCode(StringComparison.Ordinal), 0, signal));
        Assert.Equal(nics, domains.Count);
        FabricEndpoint[] endpoints = [.. domains.Select(domain => new FabricEndpoint(domain, signal, bufferBytes))];
        _opened.AddRange(endpoints);
        return endpoints;
    }

    /// <summary>Fails a NIC, or returns false where the fabric offers no way to.</summary>
    public virtual bool TryFailNic(FabricEndpoint endpoint) => false;

    /// <summary>Waits until the endpoint's NIC has something, as a worker does.</summary>
    public virtual void Park(FabricEndpoint endpoint, long dueTimestamp, Deadline deadline)
    {
        long ticks = dueTimestamp == long.MaxValue ? long.MaxValue : dueTimestamp - System.Diagnostics.Stopwatch.GetTimestamp();
        TimeSpan due = ticks == long.MaxValue ? TimeSpan.MaxValue : TimeSpan.FromSeconds(Math.Max(0, ticks) / (double)System.Diagnostics.Stopwatch.Frequency);
        endpoint.Signal.Park(due < deadline.Left ? Deadline.In(due) : deadline);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = _opened.Count - 1; i >= 0; i--)
            _opened[i].Dispose();
        _opened.Clear();
        GC.SuppressFinalize(this);
    }

    /// <summary>An engine's end of the wire.</summary>
    protected abstract IFabric Create(string name, int nics);
}
