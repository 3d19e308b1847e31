using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Garden.KvCache;

/// <summary>The memory and the limits of a <see cref="KvPrefiller{TTransfer}"/>.</summary>
public sealed record KvPrefillerOptions
{
    /// <summary>The region of the source pool.</summary>
    public required MemoryRegion Pool { get; init; }

    /// <summary>Pages in the source pool.</summary>
    public required int PoolPages { get; init; }

    /// <summary>Byte offset of the pool in its region.</summary>
    public long PoolOffset { get; init; }

    /// <summary>The device the tails are sent from; the pool's.</summary>
    public int Device { get; init; }

    /// <summary>The longest tail in bytes.</summary>
    public int MaxTailLength { get; init; } = 1 << 20;

    /// <summary>Jobs whose tails may be on their way at once; one more waits.</summary>
    public int TailSlots { get; init; } = 16;

    /// <summary>Jobs that may wait for the model loop; further requests are refused.</summary>
    public int MaxQueuedJobs { get; init; } = 1024;

    /// <summary>The longest encoded request in bytes: four bytes a page and the payload.</summary>
    public int MaxRequestLength { get; init; } = 8 << 20;

    /// <summary>How long the writes of a finished or stopped job may take to drain. After it the source pages are leaked.</summary>
    public TimeSpan DrainDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The two message channels of the protocol: this one to the prefiller, the next one to the decoder.</summary>
    public ushort Channel { get; init; } = KvChannels.Default;

    /// <summary>Where log messages go.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;
}
