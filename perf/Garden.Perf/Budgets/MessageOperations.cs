namespace Garden.Perf.Budgets;

/// <summary>A two-sided message from TrySend to the receiver's handler.</summary>
internal sealed class MessageOperations : IDisposable
{
    private const ushort Channel = 7;
    private readonly EnginePair _pair;
    private readonly IDisposable _handler;
    private readonly byte[] _message = new byte[256];
    private long _received;

    public MessageOperations(EnginePair pair)
    {
        _pair = pair;
        _handler = pair.Receiver.RegisterMessageHandler(Channel, (_, message) => _received += message.Length);
    }

    public IEnumerable<MeasuredOperation> All => [new("message.try-send", Send)];

    public void Dispose() => _handler.Dispose();

    private void Send(int count)
    {
        for (int i = 0; i < count; i++)
        {
            int turns = 0;
            long expected = _received + _message.Length;
            while (!_pair.Sender.TrySend(_pair.Peer, Channel, _message))
                _pair.PollBounded(ref turns);
            while (_received < expected)
                _pair.PollBounded(ref turns);
        }
    }
}
