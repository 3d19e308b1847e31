namespace Garden.Interop.Verbs;

/// <summary>How a device uses verbs: which ports, how deep its queues are, and how a connection behaves.</summary>
public sealed record VerbsOptions
{
    /// <summary>
    /// The NICs in lane order, 1 … 8, as <c>mlx5_0</c>, <c>mlx5_0:2</c> (port) or <c>mlx5_0:1:3</c> (port and GID index). Empty takes the
    /// first active port of every device, which is refused where that makes more than eight. Without a port the device's first active one
    /// is taken; without a GID index the RoCE v2 GID of an IPv4 address, else of an IPv6 address, and on InfiniBand the first.
    /// </summary>
    public IReadOnlyList<string> Devices { get; init; } = [];

    /// <summary>True to take the GID of an IPv6 address before that of an IPv4 one.</summary>
    public bool PreferIPv6 { get; init; }

    /// <summary>The partition key, null for the first full membership of the port's table.</summary>
    public ushort? PartitionKey { get; init; }

    /// <summary>The longest packet payload in bytes: 256, 512, 1024, 2048 or 4096; 0 for what the port has. A connection takes the less of both sides.</summary>
    public int Mtu { get; init; }

    /// <summary>The traffic class of RoCE packets (DSCP and ECN bits).</summary>
    public byte TrafficClass { get; init; }

    /// <summary>The service level, 0 … 15.</summary>
    public byte ServiceLevel { get; init; }

    /// <summary>How many writes a NIC has accepted and not completed, 1 … 16384; one peer takes at most a quarter of them.</summary>
    public int QueueDepth { get; init; } = 1024;

    /// <summary>The most remote NICs one NIC is connected to at once, 1 … 4096. The shared receive queues and the completion queue are sized from it.</summary>
    public int MaxPeers { get; init; } = 64;

    /// <summary>Immediates a remote NIC may send before it hears that some were taken, 8 … 4096. A NIC posts so many receives for each peer.</summary>
    public int ImmediateWindow { get; init; } = 256;

    /// <summary>Messages a remote NIC may send before it hears that some were taken, 2 … 256. A NIC has so many buffers for each peer.</summary>
    public int MessageWindow { get; init; } = 8;

    /// <summary>The longest message in bytes, 64 … 65536; alike on both sides.</summary>
    public int MaxMessageLength { get; init; } = 8 * 1024;

    /// <summary>The longest write in bytes; longer ones are cut by the engine, and the port may take less. At least 64 KiB.</summary>
    public long MaxWriteLength { get; init; } = 1L << 30;

    /// <summary>Writes handed to the NIC with one doorbell, 1 … 64; the last of them asks for a completion.</summary>
    public int ChainLength { get; init; } = 16;

    /// <summary>Host writes of at most so many bytes travel in their request, 0 … 1024; the device may take less.</summary>
    public int InlineBytes { get; init; } = 64;

    /// <summary>Source pieces that one request gathers when they go to one contiguous target, 1 … 16.</summary>
    public int SourcePieces { get; init; } = 4;

    /// <summary>How long a packet may be unacknowledged: 4.096 µs · 2^this, 1 … 31.</summary>
    public int AckTimeoutExponent { get; init; } = 14;

    /// <summary>How often an unacknowledged packet is sent again, 0 … 6. (7 means "for ever" to some devices.)</summary>
    public int RetryCount { get; init; } = 6;

    /// <summary>How long a remote NIC may take to answer connection offers before the route has failed.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Lets the NIC's writes to host memory pass each other (IBV_ACCESS_RELAXED_ORDERING). Then an immediate says that the bytes of its own
    /// write are visible and nothing about earlier writes, and <see cref="Fabric.FabricCapabilities.Ordered"/> is false.
    /// </summary>
    public bool RelaxedOrdering { get; init; }

    /// <summary>Threads that make the pages of a large region present before it is pinned, 1 … 64.</summary>
    public int RegistrationThreads { get; init; } = Math.Min(8, Environment.ProcessorCount);

    /// <summary>Hears how far registrations of large regions are; null for nobody.</summary>
    public IProgress<RegistrationProgress>? Progress { get; init; }

    /// <summary>After how long without an acknowledgement a connection has failed: (<see cref="RetryCount"/> + 1) times the acknowledgement timeout.</summary>
    public TimeSpan RetryTime => TimeSpan.FromMicroseconds((RetryCount + 1) * 4.096 * Math.Pow(2, AckTimeoutExponent));

    internal int PeerQueueDepth => Math.Min(QueueDepth, Math.Max(16, QueueDepth / 4));

    internal void Validate()
    {
        if (Devices is null || Devices.Count > NetAddress.MaxNics)
            throw new FabricException($"VerbsOptions.Devices names up to {NetAddress.MaxNics} devices, one a NIC; got {Devices?.Count ?? 0}.");
        if (Mtu is not (0 or 256 or 512 or 1024 or 2048 or 4096))
            throw new FabricException($"VerbsOptions.Mtu is 256, 512, 1024, 2048 or 4096, or 0 for what the port has; got {Mtu}.");
        Require(nameof(ServiceLevel), ServiceLevel, 0, 15);
        Require(nameof(QueueDepth), QueueDepth, 1, 1 << 14);
        Require(nameof(MaxPeers), MaxPeers, 1, 4096);
        Require(nameof(ImmediateWindow), ImmediateWindow, 8, 4096);
        Require(nameof(MessageWindow), MessageWindow, 2, 256);
        Require(nameof(MaxMessageLength), MaxMessageLength, 64, 64 * 1024);
        Require(nameof(MaxWriteLength), MaxWriteLength, TransferUnits.BytesPerUnit, 1L << 40);
        Require(nameof(ChainLength), ChainLength, 1, 64);
        Require(nameof(InlineBytes), InlineBytes, 0, 1024);
        Require(nameof(SourcePieces), SourcePieces, 1, 16);
        Require(nameof(AckTimeoutExponent), AckTimeoutExponent, 1, 31);
        Require(nameof(RetryCount), RetryCount, 0, 6);
        Require(nameof(RegistrationThreads), RegistrationThreads, 1, 64);
        Require($"{nameof(ConnectTimeout)}.{nameof(TimeSpan.TotalMilliseconds)}", (long)ConnectTimeout.TotalMilliseconds, 10, 3_600_000);
    }

    private static void Require(string name, long value, long least, long most)
    {
        if (value < least || value > most)
            throw new FabricException($"VerbsOptions.{name} is {least} to {most}; got {value}.");
    }
}
