namespace Garden.Weights;

/// <summary>Bytes that did not arrive as they were sent.</summary>
/// <param name="Tensor">Name of the tensor, or of the first one where small tensors share a hash.</param>
/// <param name="IsScales">True when it is the tensor's scales.</param>
/// <param name="SourceRank">The trainer rank that sent them.</param>
/// <param name="DestinationRank">The inference rank that received them.</param>
/// <param name="First">Offset in the inference rank's tensors of the first byte of the range that was hashed as one, 256 KiB of payload.</param>
/// <param name="End">Offset behind the last one.</param>
public sealed record WeightMismatch(string Tensor, bool IsScales, int SourceRank, int DestinationRank, long First, long End)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{Tensor}{(IsScales ? " (scales)" : "")} from trainer rank {SourceRank} differs on inference rank {DestinationRank} in bytes [{First}, {End}) of its tensors";
}
