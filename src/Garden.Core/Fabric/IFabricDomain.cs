namespace Garden.Fabric;

/// <summary>
/// The provider contract: one NIC. The loopback fabric is its executable specification and the conformance tests in
/// <c>Garden.Testing</c> say it in code.
/// </summary>
/// <remarks>
/// <para>Threads: <see cref="Register"/> and <see cref="Unregister"/> from any thread; everything else from one thread at a
/// time, the device's worker. No member waits for a peer, but <see cref="Unregister"/> for some bounded time where writers must be told.</para>
/// <para>Every write that <see cref="PostWrites"/> accepted is reported by <see cref="Poll"/> exactly once, also after a
/// failure of its route or of the NIC. An immediate is reported (counted) at the receiver once, after its payload is
/// visible there. Messages are reliable and unordered. No order is promised between writes unless
/// <see cref="FabricCapabilities.Ordered"/> says so, and none between writes and messages.</para>
/// </remarks>
public interface IFabricDomain : IDisposable
{
    /// <summary>This NIC's address: printable ASCII without ';' and white space, at most 255 characters.</summary>
    string Address { get; }

    /// <summary>What this NIC does and promises.</summary>
    FabricCapabilities Capabilities { get; }

    /// <summary>Registers memory for local and remote access. The memory must stay allocated until <see cref="Unregister"/> has returned.</summary>
    /// <exception cref="FabricException">The memory could not be registered.</exception>
    RegionKeys Register(nint address, long length, MemoryKind kind);

    /// <summary>Ends a registration. When it returns, no peer's write lands in the memory any more; late ones fail with <see cref="FabricStatus.RemoteAccess"/>.</summary>
    /// <exception cref="FabricException">That could not be shown: the memory must stay as it is. Calling again tries again.</exception>
    void Unregister(RegionKeys keys);

    /// <summary>Makes a remote NIC addressable. Cheap and local: nothing is exchanged, and a peer that is not there shows in the first operation.</summary>
    /// <exception cref="DescriptorException">The address is not one of this fabric.</exception>
    int OpenRoute(string remoteAddress);

    /// <summary>Forgets a route. Writes still posted on it are reported as <see cref="FabricStatus.Flushed"/> or as they ended.</summary>
    void CloseRoute(int route);

    /// <summary>
    /// Fences a peer out: when it returns, nothing lands here any more that goes over a route the peer has open now. Its operations
    /// on such routes end as <see cref="FabricStatus.RouteDown"/>; a route that it opens later is a new connection and passes.
    /// Only a promise where <see cref="FabricCapabilities.FencesPeers"/> says so.
    /// </summary>
    void FencePeer(int route);

    /// <summary>
    /// Posts writes in order and returns how many were accepted; fewer than given means back-pressure: poll, then call
    /// again with the rest. Invalid writes are accepted and reported as failed.
    /// </summary>
    int PostWrites(ReadOnlySpan<FabricWrite> writes);

    /// <summary>Sends a message; false means back-pressure. The bytes may be reused when it returns. Its end comes as <see cref="FabricCompletionKind.MessageSent"/>.</summary>
    bool TrySend(int route, ReadOnlySpan<byte> message, ulong context);

    /// <summary>Makes progress and takes up to <paramref name="completions"/>.Length completions.</summary>
    int Poll(Span<FabricCompletion> completions);

    /// <summary>Gives the buffer of a received message back. Each message must be given back once.</summary>
    void ReturnMessage(in FabricCompletion message);

    /// <summary>
    /// Asks to be woken: false when there is something to poll already. When true, the worker parks until its signal,
    /// <see cref="WaitDescriptor"/> or <paramref name="dueTimestamp"/> (in <see cref="System.Diagnostics.Stopwatch"/> ticks,
    /// <see cref="long.MaxValue"/> for never).
    /// </summary>
    bool TryArm(out long dueTimestamp);

    /// <summary>A file descriptor that becomes readable when there is something to poll, −1 when arrivals come through the signal or by time.</summary>
    int WaitDescriptor { get; }

    /// <summary>The error catalogue: what a status and the provider's code most likely mean and what to look at next.</summary>
    string Explain(FabricStatus status, int providerCode) => FabricErrors.Advice(status);
}
