namespace Garden.Weights;

/// <summary>
/// Brings the trainer's tensors into the memory from which they are sent: out of a device, a checkpoint, or the host's memory. Called for one tensor
/// after another in the order of the map, while those before are assembled and written.
/// </summary>
public interface IWeightSource
{
    /// <summary>Writes what the rank holds of a tensor.</summary>
    /// <param name="tensor">Number of the tensor.</param>
    /// <param name="holding">Which part of it. The elements lie row-major as <see cref="WeightHolding"/> says, the first one at <paramref name="memory"/>.</param>
    /// <param name="memory">Where to; <see cref="WeightHolding.Bytes"/> of the memory that <see cref="WeightSenderOptions.Tensors"/> is.</param>
    /// <param name="cancellationToken">The update has ended. A source that does not return soon after is left behind, and the rank refuses further updates until it does.</param>
    /// <exception cref="GardenException">The tensor cannot be had; the update ends with it.</exception>
    ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken);
}
