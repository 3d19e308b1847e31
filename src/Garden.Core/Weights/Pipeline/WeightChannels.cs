namespace Garden.Weights;

/// <summary>Message channels of weight updates. Each direction has its own, so that one engine can be trainer and receiver.</summary>
internal static class WeightChannels
{
    public const ushort Default = 0x5754;

    public static ushort ToReceivers(ushort channel) => channel;

    public static ushort ToTrainers(ushort channel) => (ushort)(channel + 1);
}
