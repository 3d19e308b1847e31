namespace Garden;

/// <summary>Where registered memory lives.</summary>
public enum MemoryKind : byte
{
    /// <summary>Host memory.</summary>
    Host = 0,

    /// <summary>CUDA device memory.</summary>
    Cuda = 1,
}
