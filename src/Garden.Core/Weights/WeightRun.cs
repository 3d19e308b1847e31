namespace Garden.Weights;

/// <summary>A contiguous range that one rank writes to another.</summary>
/// <param name="Tensor">Number of the tensor; a fusion's members keep theirs.</param>
/// <param name="SourceRank">The trainer rank.</param>
/// <param name="SourceOffset">Byte offset in the trainer rank's tensors, or in the staging memory it uses for this receiver.</param>
/// <param name="DestinationRank">The inference rank.</param>
/// <param name="DestinationOffset">Byte offset in the inference rank's tensors.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Stage">Where the bytes come from.</param>
/// <param name="Part">The row of the map: the tensor's elements or its scales.</param>
public readonly record struct WeightRun(
    int Tensor, int SourceRank, long SourceOffset, int DestinationRank, long DestinationOffset, long Length, WeightStage Stage, int Part);
