namespace Garden.KvCache;

/// <summary>Message channels of the KV protocol. Each direction has its own, so that one engine can be prefiller and decoder.</summary>
internal static class KvChannels
{
    public const ushort Default = 0x4b56;

    public static ushort ToPrefiller(ushort channel) => channel;

    public static ushort ToDecoder(ushort channel) => (ushort)(channel + 1);
}
