using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Garden;

/// <summary>Who takes which messages: a handler per channel. What comes before its handler waits, bounded, and is given to it first.</summary>
/// <remarks>Handlers run on the worker of the peer that sent the message, the early messages too: nothing overtakes them there.</remarks>
internal sealed class MessageChannels(ILogger logger, Action countDropped)
{
    private const int MaxEarlyOfPeer = 256;
    private const int MaxEarly = 16 * MaxEarlyOfPeer;
    private readonly ConcurrentDictionary<ushort, MessageHandler> _handlers = new();
    private readonly Lock _lock = new();
    private readonly List<(Peer Peer, ushort Channel, byte[] Message)> _early = [];
    private int _earlyCount;

    /// <summary>Publishes a handler. Call <see cref="Replay"/> on each worker afterwards.</summary>
    public IDisposable Register(ushort channel, MessageHandler handler)
    {
        if (!_handlers.TryAdd(channel, handler))
            throw new InvalidOperationException($"Message channel {channel} has a handler already; dispose its registration first.");
        return new Registration(() => _handlers.TryRemove(new KeyValuePair<ushort, MessageHandler>(channel, handler)));
    }

    /// <summary>Worker: gives a message to its handler, after those that came early.</summary>
    public void Deliver(Peer peer, ushort channel, ReadOnlySpan<byte> message)
    {
        if (!_handlers.TryGetValue(channel, out MessageHandler? handler))
        {
            Keep(peer, channel, message);
            // The handler may have come in between; then nobody else replays this one.
            if (_handlers.ContainsKey(channel))
                Replay(peer.Worker, channel);
            return;
        }

        if (Volatile.Read(ref _earlyCount) != 0)
            Replay(peer.Worker, channel);
        Call(handler, peer, message);
    }

    /// <summary>Worker: gives the early messages of its peers to the channel's handler.</summary>
    public void Replay(Worker worker, ushort channel)
    {
        List<(Peer Peer, ushort Channel, byte[] Message)> early;
        lock (_lock)
        {
            if (!_handlers.ContainsKey(channel))
                return;
            early = _early.FindAll(message => message.Channel == channel && message.Peer.Worker == worker);
            _early.RemoveAll(message => message.Channel == channel && message.Peer.Worker == worker);
            Volatile.Write(ref _earlyCount, _early.Count);
        }

        foreach ((Peer peer, ushort _, byte[] message) in early)
        {
            if (_handlers.TryGetValue(channel, out MessageHandler? handler))
                Call(handler, peer, message);
            else
                Keep(peer, channel, message);
        }
    }

    private void Keep(Peer peer, ushort channel, ReadOnlySpan<byte> message)
    {
        lock (_lock)
        {
            // Those of ended connections wait as long as there is room: their senders may have said goodbye in good order.
            if (_early.Count == MaxEarly)
                _early.RemoveAll(static early => early.Peer.State is PeerState.Failed or PeerState.Closed);
            if (_early.Count < MaxEarly && _early.Count(early => early.Peer == peer) < MaxEarlyOfPeer)
            {
                _early.Add((peer, channel, message.ToArray()));
                Volatile.Write(ref _earlyCount, _early.Count);
                return;
            }
        }

        countDropped();
        GardenLog.MessageDropped(logger, $"channel {channel} has no handler and {MaxEarlyOfPeer} early messages of {peer.Address} wait already");
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
