namespace Garden.Kernels.Experts;

/// <summary>The tokens a rank dispatches, in device memory. How many there are is told by <see cref="ExpertRank{TRouting}.SetTokens"/>.</summary>
/// <param name="Rows">[token][HiddenSize] activations: of the wire's element type, or BF16 for a Float8E4M3 routing without <paramref name="Scales"/>, which are quantised on the way.</param>
/// <param name="TopK">[token][TopK] 32-bit experts, each at most once a token; −1 where masked.</param>
/// <param name="Weights">[token][TopK] single-precision weights.</param>
/// <param name="Scales">[token][ScaleCount] single-precision scales of rows that are quantised already.</param>
public readonly record struct ExpertTokens(DeviceBuffer Rows, DeviceBuffer TopK, DeviceBuffer Weights, DeviceBuffer? Scales = null);
