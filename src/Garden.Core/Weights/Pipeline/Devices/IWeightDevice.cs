namespace Garden.Weights;

/// <summary>
/// Where a rank packs, converts and hashes when its tensors are not in host memory; Garden.Kernels has one for GPUs. Thread-safe. Many
/// ranks may share one.
/// </summary>
public interface IWeightDevice
{
    /// <summary>The kind of memory it works on.</summary>
    MemoryKind Kind { get; }

    /// <summary>Takes working memory. It is not cleared.</summary>
    IWeightMemory Allocate(long bytes);

    /// <summary>Creates a queue of work, for one thread at a time.</summary>
    IWeightQueue CreateQueue();
}

/// <summary>Working memory of a device; disposing it frees it.</summary>
public interface IWeightMemory : IDisposable
{
    /// <summary>The first byte, a multiple of 256.</summary>
    nint Address { get; }

    /// <summary>Length in bytes.</summary>
    long Length { get; }
}
