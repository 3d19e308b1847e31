namespace Garden.Weights;

/// <summary>A complete version of a rank's tensors.</summary>
/// <param name="Step">The update that brought it.</param>
/// <param name="Buffer">Which of <see cref="WeightReceiverOptions.Buffers"/> holds it.</param>
public sealed record WeightVersion(long Step, int Buffer);
