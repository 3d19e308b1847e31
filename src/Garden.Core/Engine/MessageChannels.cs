using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Garden;

/// <summary>Who takes which messages: a handler or a receive queue per channel. What comes early waits, bounded.</summary>
internal sealed class MessageChannels(ILogger logger, Action countDropped)
{
    private const int MaxEarly = 256;
    private readonly ConcurrentDictionary<ushort, MessageHandler> _handlers = new();
    private readonly Lock _lock = new();
    private readonly List<(Peer Peer, ushort Channel, byte[] Message)> _early = [];

    public IDisposable Register(ushort channel, MessageHandler handler)
    {
        lock (_lock)
        {
            if (!_handlers.TryAdd(channel, handler))
                throw new InvalidOperationException($"Message channel {channel} has a handler already; dispose its registration first.");
            // Under the lock, so that no later message overtakes these into the handler's first calls.
            foreach ((Peer peer, ushort _, byte[] message) in _early.Where(early => early.Channel == channel))
                Call(handler, peer, message);
            _early.RemoveAll(early => early.Channel == channel);
        }

        return new Registration(() => _handlers.TryRemove(new KeyValuePair<ushort, MessageHandler>(channel, handler)));
    }

    public void Deliver(Peer peer, ushort channel, ReadOnlySpan<byte> message)
    {
        if (!_handlers.TryGetValue(channel, out MessageHandler? handler) && !TryKeep(peer, channel, message, out handler))
            return;
        Call(handler!, peer, message);
    }

    private bool TryKeep(Peer peer, ushort channel, ReadOnlySpan<byte> message, out MessageHandler? handler)
    {
        lock (_lock)
        {
            if (_handlers.TryGetValue(channel, out handler))
                return true;
            if (_early.Count < MaxEarly)
            {
                _early.Add((peer, channel, message.ToArray()));
                return false;
            }
        }

        countDropped();
        GardenLog.MessageDropped(logger, $"channel {channel} has no handler and {MaxEarly} early messages wait already");
        return false;
    }

    private void Call(MessageHandler handler, Peer peer, ReadOnlySpan<byte> message)
    {
        try
        {
            handler(peer, message);
        }
        catch (Exception exception)
        {
            GardenLog.CallbackFailed(logger, "message handler", exception);
        }
    }

    internal sealed class Registration(Action end) : IDisposable
    {
        private Action? _end = end;

        public void Dispose() => Interlocked.Exchange(ref _end, null)?.Invoke();
    }
}
