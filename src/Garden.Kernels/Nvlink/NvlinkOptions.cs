namespace Garden.Kernels.Nvlink;

/// <summary>Options of the <c>nvlink</c> fabric.</summary>
public sealed record NvlinkOptions
{
    /// <summary>NICs of an engine, 1 to 8: each is a stream of its own on the same device.</summary>
    public int Nics { get; init; } = 1;

    /// <summary>How many writes of a NIC may be posted and not yet completed, 16 to 65536.</summary>
    public int QueueDepth { get; init; } = 16_384;

    /// <summary>
    /// Writes of so many bytes and more are copied by a copy engine, shorter ones by a kernel together with what is posted with them.
    /// At most 1 MiB, the default, so that a batch of short writes fits its list.
    /// </summary>
    public int CopyEngineBytes { get; init; } = MostCopyEngineBytes;

    internal const int MostCopyEngineBytes = 1 << 20;

    internal const int MostQueueDepth = 65_536;

    /// <summary>Treats peers of this process like those of another one, as far as the CPU accelerator can: for tests.</summary>
    internal bool MapsOwnProcess { get; init; }

    internal void Validate()
    {
        if (Nics is < 1 or > NetAddress.MaxNics)
            throw new FabricException($"NvlinkOptions.Nics is 1 to {NetAddress.MaxNics}; got {Nics}.");
        if (QueueDepth is < 16 or > MostQueueDepth)
            throw new FabricException($"NvlinkOptions.QueueDepth is 16 to {MostQueueDepth}; got {QueueDepth}.");
        if (CopyEngineBytes is < 1 or > MostCopyEngineBytes)
            throw new FabricException($"NvlinkOptions.CopyEngineBytes is 1 to {MostCopyEngineBytes}; got {CopyEngineBytes}.");
    }
}
