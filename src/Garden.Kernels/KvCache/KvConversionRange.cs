namespace Garden.Kernels.KvCache;

/// <summary>What a conversion copies.</summary>
/// <param name="FirstToken">First token, counted from the first listed page.</param>
/// <param name="TokenCount">Number of tokens.</param>
/// <param name="FirstLayer">First layer.</param>
/// <param name="LayerCount">Number of layers.</param>
/// <param name="SourceRank">Tensor-parallel rank whose pool is read.</param>
/// <param name="DestinationRank">Tensor-parallel rank whose pool is written.</param>
public readonly record struct KvConversionRange(int FirstToken, int TokenCount, int FirstLayer, int LayerCount, int SourceRank = 0, int DestinationRank = 0);
