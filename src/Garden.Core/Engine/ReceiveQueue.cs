using System.Threading.Channels;
using CommunityToolkit.HighPerformance.Buffers;

namespace Garden;

/// <summary>Pooled receives of one message channel: messages are copied into pooled buffers and wait, bounded, until they are read.</summary>
public sealed class ReceiveQueue : IDisposable
{
    private readonly Channel<ReceivedMessage> _messages;
    private readonly Queue<ReceivedMessage> _kept = new();
    private readonly IDisposable _registration;
    private long _dropped;

    internal ReceiveQueue(TransferEngine engine, ushort channel, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _messages = Channel.CreateBounded<ReceivedMessage>(new BoundedChannelOptions(capacity) { FullMode = BoundedChannelFullMode.Wait });
        _registration = engine.RegisterMessageHandler(channel, Take);
    }

    /// <summary>Messages that found the queue full. A sender that may outrun its receiver needs an answer to wait for.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>The next message. Dispose it to give its buffer back.</summary>
    /// <exception cref="TimeoutException">None came in time.</exception>
    /// <exception cref="ObjectDisposedException">The queue was disposed.</exception>
    public async ValueTask<ReceivedMessage> ReceiveAsync(TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        if (TryReceive(out ReceivedMessage ready))
            return ready;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(deadline);
        try
        {
            return await _messages.Reader.ReadAsync(timeout.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"No message came within {deadline.TotalSeconds:0.###} s.");
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(ReceiveQueue));
        }
    }

    /// <summary>A posted receive: the next message is copied into <paramref name="buffer"/>.</summary>
    /// <returns>Who sent it, and its length.</returns>
    /// <exception cref="ArgumentException">The message is longer than the buffer. It is kept for the next receive; the exception says its length.</exception>
    /// <exception cref="TimeoutException">None came in time.</exception>
    /// <exception cref="ObjectDisposedException">The queue was disposed.</exception>
    public async ValueTask<(Peer Peer, int Length)> ReceiveAsync(Memory<byte> buffer, TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        ReceivedMessage message = await ReceiveAsync(deadline, cancellationToken).ConfigureAwait(false);
        int length = message.Bytes.Length;
        if (length > buffer.Length)
        {
            lock (_kept)
                _kept.Enqueue(message);
            throw new ArgumentException($"The message has {length} bytes, the posted buffer {buffer.Length}; post at least Peer.MaxMessageLength.", nameof(buffer));
        }

        message.Bytes.CopyTo(buffer.Span);
        message.Dispose();
        return (message.Peer, length);
    }

    /// <summary>The next message, if one is there.</summary>
    public bool TryReceive(out ReceivedMessage message)
    {
        lock (_kept)
        {
            if (_kept.TryDequeue(out message))
                return true;
        }

        return _messages.Reader.TryRead(out message);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _registration.Dispose();
        _messages.Writer.TryComplete();
        while (TryReceive(out ReceivedMessage message))
            message.Dispose();
    }

    private void Take(Peer peer, ReadOnlySpan<byte> message)
    {
        MemoryOwner<byte> buffer = MemoryOwner<byte>.Allocate(message.Length);
        message.CopyTo(buffer.Span);
        if (_messages.Writer.TryWrite(new ReceivedMessage(peer, buffer)))
            return;
        buffer.Dispose();
        Interlocked.Increment(ref _dropped);
    }
}

/// <summary>A received message in a pooled buffer.</summary>
/// <param name="Peer">Who sent it.</param>
/// <param name="Buffer">The message; disposing gives the buffer back.</param>
public readonly record struct ReceivedMessage(Peer Peer, MemoryOwner<byte> Buffer) : IDisposable
{
    /// <summary>The message's bytes.</summary>
    public ReadOnlySpan<byte> Bytes => Buffer.Span;

    /// <inheritdoc/>
    public void Dispose() => Buffer.Dispose();
}
