using System.Threading.Channels;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

/// <summary>Speaks the decoder's side of the protocol byte by byte: late, repeated, wrong and garbled messages.</summary>
internal sealed class RawDecoder : IDisposable
{
    private readonly Channel<byte[]> _received = Channel.CreateUnbounded<byte[]>();
    private readonly TransferEngine _engine;
    private readonly Peer _prefiller;
    private readonly IDisposable _handler;
    private byte[] _last = [];
    private ulong _prefillerSession;

    private RawDecoder(TransferEngine engine, Peer prefiller)
    {
        _engine = engine;
        _prefiller = prefiller;
        _handler = engine.RegisterMessageHandler(KvChannels.ToDecoder(KvChannels.Default), (_, message) => _received.Writer.TryWrite(message.ToArray()));
    }

    public ulong Session { get; } = 0x5eed;

    public ReadOnlySpan<byte> Body => _last.AsSpan(KvMessageHeader.Length);

    /// <summary>Takes the decoder's place on the pair's decode engine, without a handshake.</summary>
    public static async Task<RawDecoder> AttachAsync(KvPair pair)
    {
        await pair.Decoder.DisposeAsync();
        return new RawDecoder(pair.DecodeEngine, pair.Peer);
    }

    public static async Task<RawDecoder> ConnectAsync(KvPair pair)
    {
        RawDecoder raw = await AttachAsync(pair);
        await raw.SendAsync(new KvHello(raw.Session, KvTerms.Of<SmallPages.Transfer>()).ToBytes());
        raw._prefillerSession = KvWelcome.Parse(await raw.NextAsync(KvMessageKind.Welcome), raw.Body).PrefillerSession;
        return raw;
    }

    public async Task SendAsync(byte[] message) => await _engine.SendAsync(_prefiller, KvChannels.ToPrefiller(KvChannels.Default), message);

    public Task SendPartAsync(ulong sequence, byte[] request, ulong sessionFlip = 0)
    {
        byte[] message = new byte[KvRequestPart.HeaderLength + request.Length];
        int length = KvRequestPart.Encode(message, Session, sequence, _prefillerSession ^ sessionFlip, request, 0, request.Length);
        return SendAsync(message[..length]);
    }

    public async Task<KvMessageHeader> NextAsync(KvMessageKind kind)
    {
        _last = await _received.Reader.ReadAsync().AsTask().WaitAsync(KvPair.Limit);
        KvMessageHeader header = KvMessageHeader.Parse(_last);
        Assert.Equal(kind, header.Kind);
        return header;
    }

    public void Dispose() => _handler.Dispose();
}
