using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Garden.KvCache;

/// <summary>The memory and the deadlines of a <see cref="KvDecoder{TTransfer}"/>.</summary>
public sealed record KvDecoderOptions
{
    /// <summary>The region of the pool.</summary>
    public required MemoryRegion Pool { get; init; }

    /// <summary>Pages in the pool.</summary>
    public required int PoolPages { get; init; }

    /// <summary>Byte offset of the pool in its region.</summary>
    public long PoolOffset { get; init; }

    /// <summary>The region of the tails; null when no request has one.</summary>
    public MemoryRegion? Tails { get; init; }

    /// <summary>How long a request that names no deadline may take.</summary>
    public TimeSpan RequestDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a prefiller may take to answer the handshake.</summary>
    public TimeSpan HandshakeDeadline { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a prefiller may take to confirm that nothing of a stopped request can land any more. After it the pages are leaked.</summary>
    public TimeSpan StopDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The two message channels of the protocol: this one to the prefiller, the next one to the decoder.</summary>
    public ushort Channel { get; init; } = KvChannels.Default;

    /// <summary>Where log messages go.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;
}
