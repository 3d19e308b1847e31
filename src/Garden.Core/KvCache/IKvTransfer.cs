namespace Garden.KvCache;

/// <summary>A generated plan that streams tokens between two pools, a range of layers at a time.</summary>
/// <typeparam name="TSelf">The generated plan.</typeparam>
/// <remarks>
/// <see cref="ITransferPlan{TSelf}.CountUnits"/> depends on the token range, the layer range and the ranks only, so a
/// receiver computes it from <see cref="Create"/> with the page lists left empty.
/// </remarks>
public interface IKvTransfer<TSelf> : ITransferPlan<TSelf>
    where TSelf : unmanaged, IKvTransfer<TSelf>
{
    /// <summary>Layers of both layouts.</summary>
    static abstract int Layers { get; }

    /// <summary>Hash of the sender's layout.</summary>
    static abstract ulong SourceLayoutHash { get; }

    /// <summary>Hash of the receiver's layout.</summary>
    static abstract ulong DestinationLayoutHash { get; }

    /// <summary>Tokens per page on the sender's side.</summary>
    static abstract int SourceTokensPerPage { get; }

    /// <summary>Tokens per page on the receiver's side.</summary>
    static abstract int DestinationTokensPerPage { get; }

    /// <summary>Tensor-parallel ranks on the sender's side.</summary>
    static abstract int SourceTensorParallel { get; }

    /// <summary>Tensor-parallel ranks on the receiver's side.</summary>
    static abstract int DestinationTensorParallel { get; }

    /// <summary>Bytes of the sender's pool of <paramref name="pages"/> pages.</summary>
    static abstract long SourcePoolBytes(int pages);

    /// <summary>Bytes of the sender's pool up to the end of its first <paramref name="layers"/> layers: a layer-major pool need not hold the others.</summary>
    static abstract long SourcePoolBytes(int pages, int layers);

    /// <summary>Bytes of the receiver's pool of <paramref name="pages"/> pages.</summary>
    static abstract long DestinationPoolBytes(int pages);

    /// <summary>Bytes of the receiver's pool up to the end of its first <paramref name="layers"/> layers: a layer-major pool need not hold the others.</summary>
    static abstract long DestinationPoolBytes(int pages, int layers);

    /// <summary>Bytes the plan moves; like the units, a function of ranges and ranks only.</summary>
    static abstract long CountBytes(in TSelf plan);

    /// <summary>The plan for these arguments.</summary>
    static abstract TSelf Create(in KvTransferArguments arguments);
}
