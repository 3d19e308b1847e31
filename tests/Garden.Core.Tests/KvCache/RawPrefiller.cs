using System.Threading.Channels;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

/// <summary>Takes the prefiller's place: welcomes every decoder, serves nothing, and lets the test answer the cancellations.</summary>
internal sealed class RawPrefiller : IDisposable
{
    private readonly Channel<(Peer Decoder, KvCancel Cancel)> _cancels = Channel.CreateUnbounded<(Peer, KvCancel)>();
    private readonly TransferEngine _engine;
    private readonly IDisposable _handler;

    private RawPrefiller(TransferEngine engine)
    {
        _engine = engine;
        _handler = engine.RegisterMessageHandler(KvChannels.ToPrefiller(KvChannels.Default), (peer, message) =>
        {
            KvMessageHeader header = KvMessageHeader.Parse(message);
            if (header.Kind == KvMessageKind.Hello)
                _ = SendAsync(peer, new KvWelcome(header.Session, 7, 1 << 20, 4096).ToBytes());
            else if (header.Kind == KvMessageKind.Cancel)
                _cancels.Writer.TryWrite((peer, KvCancel.Parse(header, message[KvMessageHeader.Length..])));
        });
    }

    public static async Task<RawPrefiller> AttachAsync(KvPair pair)
    {
        await pair.Prefiller.DisposeAsync();
        return new RawPrefiller(pair.PrefillEngine);
    }

    public Task<(Peer Decoder, KvCancel Cancel)> NextCancelAsync() => _cancels.Reader.ReadAsync().AsTask().WaitAsync(KvPair.Limit);

    public async Task SendAsync(Peer decoder, byte[] message) => await _engine.SendAsync(decoder, KvChannels.ToDecoder(KvChannels.Default), message);

    public void Dispose() => _handler.Dispose();
}
