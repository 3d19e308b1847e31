namespace Garden.Weights;

/// <summary>Where the time of one update went on one trainer rank. The stages overlap, so that they add up to more than the total where they do.</summary>
/// <param name="Total">From the call to the end.</param>
/// <param name="Load">Busy bringing tensors into host memory.</param>
/// <param name="Gather">Waiting for parts of blocks from other trainer ranks, summed over tasks.</param>
/// <param name="Assemble">Busy packing, fusing and converting, summed over threads.</param>
/// <param name="Hash">Busy hashing what is sent; 0 without verification.</param>
/// <param name="Write">From the first write submitted to the last one completed.</param>
/// <param name="Barrier">From the last write completed until every receiver had said that it has everything.</param>
/// <param name="BytesWritten">Bytes written to receivers.</param>
public readonly record struct WeightStageTimes(
    TimeSpan Total, TimeSpan Load, TimeSpan Gather, TimeSpan Assemble, TimeSpan Hash, TimeSpan Write, TimeSpan Barrier, long BytesWritten);
