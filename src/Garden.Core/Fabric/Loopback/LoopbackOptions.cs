namespace Garden.Fabric.Loopback;

/// <summary>How the NICs of one engine behave on a <see cref="LoopbackNetwork"/>. The defaults are a fast, ordered link without delay.</summary>
public sealed record LoopbackOptions
{
    private const int MaxNameLength = 200;
    private const int MaxDepth = 1 << 20;

    /// <summary>The engine's name, unique on its network; NIC i of device 0 has the address <c>name/i</c>, of device d <c>name.d/i</c>.</summary>
    public required string Name { get; init; }

    /// <summary>NICs per device, 1 … 8.</summary>
    public int Nics { get; init; } = 1;

    /// <summary>How many writes, and how many messages, a NIC takes before they are completed. Small values give back-pressure.</summary>
    public int QueueDepth { get; init; } = 1024;

    /// <summary>
    /// How many arrivals (immediates and messages) a NIC holds before they are polled, and how many message buffers it has.
    /// When they are used up its senders see back-pressure; nothing is dropped.
    /// </summary>
    public int ReceiveQueueDepth { get; init; } = 1024;

    /// <summary>The longest write in bytes, at least 64 KiB; a longer one is reported as failed.</summary>
    public long MaxWriteLength { get; init; } = long.MaxValue;

    /// <summary>The longest message in bytes.</summary>
    public int MaxMessageLength { get; init; } = 16 * 1024;

    /// <summary>
    /// A seed to deliver out of order with: writes and messages of all lanes overtake each other. Null keeps each lane in
    /// order. The same seed and the same calls give the same order.
    /// </summary>
    public int? ReorderSeed { get; init; }

    /// <summary>How long each delivery is on its way.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Bytes per second each NIC sends, 0 for no limit. A write is delivered when the link has carried it.</summary>
    public double BandwidthBytesPerSecond { get; init; }

    /// <summary>
    /// What a sender's completion means. With <see cref="FabricCompletionLevel.LocalOnly"/> the bytes are copied aside and
    /// reported when they are posted and delivered by a later poll, in order, as over tcp; a delivery that then fails
    /// breaks the route.
    /// </summary>
    public FabricCompletionLevel Completion { get; init; } = FabricCompletionLevel.RemotePlaced;

    /// <summary>The link speed the NICs claim, in Gbit/s; 0 is unknown.</summary>
    public double LinkGigabitsPerSecond { get; init; }

    /// <summary>True when writes wait for a poll instead of being copied where they are posted.</summary>
    internal bool IsDeferred =>
        ReorderSeed is not null || Delay > TimeSpan.Zero || BandwidthBytesPerSecond > 0 || Completion == FabricCompletionLevel.LocalOnly;

    internal void Validate()
    {
        if (string.IsNullOrEmpty(Name) || Name.Length > MaxNameLength
            || Name.AsSpan().ContainsAnyExceptInRange('!', '~') || Name.AsSpan().ContainsAny(';', '/'))
        {
            throw new FabricException($"LoopbackOptions.Name is 1 to {MaxNameLength} printable ASCII characters without ';', '/' and blanks; got \"{Name}\".");
        }

        Require(nameof(Nics), Nics, 1, NetAddress.MaxNics);
        Require(nameof(QueueDepth), QueueDepth, 1, MaxDepth);
        Require(nameof(ReceiveQueueDepth), ReceiveQueueDepth, 1, MaxDepth);
        Require(nameof(MaxMessageLength), MaxMessageLength, 1, 1 << 24);
        Require(nameof(MaxWriteLength), MaxWriteLength, TransferUnits.BytesPerUnit, long.MaxValue);
        Require($"{nameof(Delay)}.{nameof(TimeSpan.Ticks)}", Delay.Ticks, 0, TimeSpan.FromDays(1).Ticks);
        if (!double.IsFinite(BandwidthBytesPerSecond) || BandwidthBytesPerSecond < 0)
            throw new FabricException($"LoopbackOptions.BandwidthBytesPerSecond is 0 (no limit) or a positive number; got {BandwidthBytesPerSecond}.");
        if (!double.IsFinite(LinkGigabitsPerSecond) || LinkGigabitsPerSecond < 0)
            throw new FabricException($"LoopbackOptions.LinkGigabitsPerSecond is 0 (unknown) or a positive number; got {LinkGigabitsPerSecond}.");
        if (Completion > FabricCompletionLevel.RemotePlaced)
            throw new FabricException($"LoopbackOptions.Completion {(int)Completion} is not a FabricCompletionLevel.");
        if (Completion == FabricCompletionLevel.LocalOnly && ReorderSeed is not null)
            throw new FabricException("LoopbackOptions: LocalOnly completions are only provable on an ordered lane, so they cannot be combined with ReorderSeed; leave one of them out.");
    }

    private static void Require(string name, long value, long least, long most)
    {
        if (value < least || value > most)
            throw new FabricException($"LoopbackOptions.{name} is {least} to {most}; got {value}.");
    }
}
