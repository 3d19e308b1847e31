namespace Garden;

/// <content>Two-sided messages: bounded, reliable, unordered.</content>
public sealed partial class TransferEngine
{
    /// <summary>Sends a message and completes when the fabric has sent it (not when it was read).</summary>
    /// <exception cref="ArgumentException">The message is longer than <see cref="Peer.MaxMessageLength"/>.</exception>
    /// <exception cref="PeerFailedException">The peer is not ready, or the connection that carried the message broke.</exception>
    /// <exception cref="TimeoutException">The peer took no message before the deadline (default: the options' TransferDeadline).</exception>
    /// <exception cref="InvalidOperationException">Too many messages wait already.</exception>
    public async ValueTask SendAsync(Peer peer, ushort channel, ReadOnlyMemory<byte> message, TimeSpan? deadline = null)
    {
        ArgumentNullException.ThrowIfNull(peer);
        ThrowIfUnusable();
        RequireMessage(peer, message.Length);
        TransferSource source = Sources.Rent(peer.Worker);
        short token = source.Version;
        if (!peer.Worker.TryQueue(peer, channel, message.Span, source.Index, deadline))
        {
            Sources.Return(source);
            throw new InvalidOperationException($"{Options.MaxQueuedMessages} messages wait to be sent already; await sends, or raise TransferEngineOptions.MaxQueuedMessages.");
        }

        await new Transfer(source, token);
    }

    /// <summary>Sends a message without waiting for anything; false when too many wait already. Usable in handlers.</summary>
    /// <exception cref="ArgumentException">The message is longer than <see cref="Peer.MaxMessageLength"/>.</exception>
    /// <exception cref="PeerFailedException">The peer is not ready.</exception>
    public bool TrySend(Peer peer, ushort channel, ReadOnlySpan<byte> message)
    {
        ArgumentNullException.ThrowIfNull(peer);
        ThrowIfUnusable();
        RequireMessage(peer, message.Length);
        return peer.Worker.TryQueue(peer, channel, message, -1);
    }

    /// <summary>Takes the messages of a channel on the worker's thread. One handler a channel; dispose to stop.</summary>
    /// <exception cref="InvalidOperationException">The channel has a handler already.</exception>
    public IDisposable RegisterMessageHandler(ushort channel, MessageHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfUnusable();
        IDisposable registration = Channels.Register(channel, handler);
        foreach (Worker worker in _workers)
            worker.Enqueue(() => Channels.Replay(worker, channel));
        return registration;
    }

    /// <summary>Takes the messages of a channel into pooled buffers, to be read by user code at its own pace.</summary>
    /// <exception cref="InvalidOperationException">The channel has a handler already.</exception>
    public ReceiveQueue OpenReceiveQueue(ushort channel, int capacity = 256)
    {
        ThrowIfUnusable();
        return new ReceiveQueue(this, channel, capacity);
    }

    /// <summary>Tells a peer that a counter of its will not be reached: its waiters end with <see cref="TransferAbortedException"/>.</summary>
    /// <remarks>The engine does this by itself for every transfer that fails or is cancelled.</remarks>
    public void NotifyAbort(Peer peer, Immediate immediate, string reason)
    {
        ArgumentNullException.ThrowIfNull(peer);
        ArgumentNullException.ThrowIfNull(reason);
        ThrowIfUnusable();
        peer.RequireReady();
        peer.Worker.EnqueueAbort(peer, immediate, reason);
    }

    private static void RequireMessage(Peer peer, int length)
    {
        peer.RequireReady();
        if (length > peer.MaxMessageLength)
            throw new ArgumentException($"The message has {length} bytes; {peer.Address} takes at most {peer.MaxMessageLength}. Send bulk data as writes, or cut the message.", nameof(length));
    }
}
