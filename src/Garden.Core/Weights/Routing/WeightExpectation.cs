namespace Garden.Weights;

/// <summary>What an inference rank receives from one trainer rank in an update.</summary>
/// <param name="SourceRank">The trainer rank.</param>
/// <param name="Sends">Sends, each of one task.</param>
/// <param name="Writes">Runs, before the engine splits long ones.</param>
/// <param name="Bytes">Bytes.</param>
/// <param name="Units">Units to count (see <see cref="TransferUnits"/>).</param>
public readonly record struct WeightExpectation(int SourceRank, int Sends, long Writes, long Bytes, long Units);
