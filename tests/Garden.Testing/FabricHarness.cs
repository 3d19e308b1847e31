using System.Runtime.InteropServices;
using Garden.Fabric;

namespace Garden.Testing;

/// <summary>A wire of the fabric under test: opens engines on it and injects what faults it can.</summary>
public abstract partial class FabricHarness : IDisposable
{
    private readonly List<IDisposable> _opened = [];

    /// <summary>A well-formed address nobody listens at.</summary>
    public abstract string AbsentAddress { get; }

    /// <summary>Round trips of the parking test; fewer where each takes long.</summary>
    public virtual int RoundTrips => 20_000;

    /// <summary>False where a provider may find no way back to a NIC that has refused a write of it.</summary>
    public virtual bool ComesBackFromRefusedWrites => true;

    /// <summary>Opens the NICs of a new engine, each with a registered buffer.</summary>
    public FabricEndpoint[] Open(string name, int nics = 1, long bufferBytes = 4 << 20)
    {
        var signal = new TestSignal();
        _opened.Add(signal);
        IReadOnlyList<IFabricDomain> domains = Create(name, nics).Open(new FabricOpenContext((ulong)name.GetHashCode(StringComparison.Ordinal), 0, signal));
        Assert.Equal(nics, domains.Count);
        FabricEndpoint[] endpoints = [.. domains.Select(domain => new FabricEndpoint(domain, signal, Allocate(bufferBytes)))];
        _opened.AddRange(endpoints);
        return endpoints;
    }

    /// <summary>Fails a NIC, or returns false where the fabric offers no way to.</summary>
    public virtual bool TryFailNic(FabricEndpoint endpoint) => false;

    /// <summary>Waits until the endpoint's NIC has something, as a worker does.</summary>
    public virtual void Park(FabricEndpoint endpoint, long dueTimestamp, Deadline deadline)
    {
        if (endpoint.Domain.WaitDescriptor >= 0)
        {
            double left = dueTimestamp == long.MaxValue ? double.MaxValue : (dueTimestamp - System.Diagnostics.Stopwatch.GetTimestamp()) * 1000.0 / System.Diagnostics.Stopwatch.Frequency;
            var descriptor = new PollDescriptor { Descriptor = endpoint.Domain.WaitDescriptor, Events = 1 };
            _ = Poll(ref descriptor, 1, (int)Math.Clamp(Math.Ceiling(left), 0, deadline.Left.TotalMilliseconds));
            return;
        }

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

    /// <summary>Memory for an endpoint.</summary>
    protected virtual EndpointMemory Allocate(long bytes) => new HostEndpointMemory(bytes);

    /// <summary>An engine's end of the wire.</summary>
    protected abstract IFabric Create(string name, int nics);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
