namespace Garden.Interop.Libfabric;

/// <summary>Depths and limits that all libfabric fabrics share.</summary>
public record LibfabricTuning
{
    /// <summary>How many writes a NIC has accepted and not completed, 1 … 16384.</summary>
    public int QueueDepth { get; init; } = 1024;

    /// <summary>Messages a NIC has under way to all peers, 1 … 4096; one peer takes at most a quarter of them.</summary>
    public int MessageDepth { get; init; } = 256;

    /// <summary>Buffers posted for messages of peers, 1 … 16384. A peer that finds none waits.</summary>
    public int ReceiveDepth { get; init; } = 512;

    /// <summary>The longest message in bytes, 64 … 15360 (what tcp sends eagerly).</summary>
    public int MaxMessageLength { get; init; } = 8 * 1024;

    /// <summary>The longest write in bytes; longer ones are cut by the engine. At least 64 KiB.</summary>
    public long MaxWriteLength { get; init; } = 1L << 30;

    /// <summary>How long a peer may take nothing at all before its route has failed: it is not there, or hangs.</summary>
    public TimeSpan RouteTimeout { get; init; } = TimeSpan.FromSeconds(10);

    internal void Validate()
    {
        Require(nameof(QueueDepth), QueueDepth, 1, 1 << 14);
        Require(nameof(MessageDepth), MessageDepth, 1, 1 << 12);
        Require(nameof(ReceiveDepth), ReceiveDepth, 1, 1 << 14);
        Require(nameof(MaxMessageLength), MaxMessageLength, 64, 15 * 1024);
        Require(nameof(MaxWriteLength), MaxWriteLength, TransferUnits.BytesPerUnit, 1L << 40);
        Require($"{nameof(RouteTimeout)}.{nameof(TimeSpan.TotalMilliseconds)}", (long)RouteTimeout.TotalMilliseconds, 10, 3_600_000);
    }

    private protected static void Require(string name, long value, long least, long most)
    {
        if (value < least || value > most)
            throw new FabricException($"LibfabricTuning.{name} is {least} to {most}; got {value}.");
    }
}
