using Garden.Fabric;

namespace Garden.Testing;

/// <summary>A NIC that passes everything on to another one; tests override what they want to see or break.</summary>
public abstract class DelegatingDomain(IFabricDomain inner) : IFabricDomain
{
    /// <inheritdoc/>
    public string Address => inner.Address;

    /// <inheritdoc/>
    public FabricCapabilities Capabilities => inner.Capabilities;

    /// <inheritdoc/>
    public int WaitDescriptor => inner.WaitDescriptor;

    /// <inheritdoc/>
    public RegionKeys Register(nint address, long length, MemoryKind kind) => inner.Register(address, length, kind);

    /// <inheritdoc/>
    public virtual void Unregister(RegionKeys keys) => inner.Unregister(keys);

    /// <inheritdoc/>
    public int OpenRoute(string remoteAddress) => inner.OpenRoute(remoteAddress);

    /// <inheritdoc/>
    public void CloseRoute(int route) => inner.CloseRoute(route);

    /// <inheritdoc/>
    public void FencePeer(int route) => inner.FencePeer(route);

    /// <inheritdoc/>
    public virtual int PostWrites(ReadOnlySpan<FabricWrite> writes) => inner.PostWrites(writes);

    /// <inheritdoc/>
    public virtual bool TrySend(int route, ReadOnlySpan<byte> message, ulong context) => inner.TrySend(route, message, context);

    /// <inheritdoc/>
    public virtual int Poll(Span<FabricCompletion> completions) => inner.Poll(completions);

    /// <inheritdoc/>
    public void ReturnMessage(in FabricCompletion message) => inner.ReturnMessage(in message);

    /// <inheritdoc/>
    public virtual bool TryArm(out long dueTimestamp) => inner.TryArm(out dueTimestamp);

    /// <inheritdoc/>
    public string Explain(FabricStatus status, int providerCode) => inner.Explain(status, providerCode);

    /// <inheritdoc/>
    public void Dispose()
    {
        inner.Dispose();
        GC.SuppressFinalize(this);
    }
}
