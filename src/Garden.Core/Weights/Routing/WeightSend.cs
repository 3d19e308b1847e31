namespace Garden.Weights;

/// <summary>What a task writes to one receiver: pieces of the sender plan's list, for <see cref="WeightWrites"/>.</summary>
/// <param name="DestinationRank">The inference rank.</param>
/// <param name="FirstPiece">The first piece in <see cref="WeightSenderPlan.Handle"/>. Staged pieces count their offsets from the task's staging memory.</param>
/// <param name="PieceCount">Number of pieces.</param>
/// <param name="Bytes">Bytes written.</param>
/// <param name="Units">Units the receiver counts.</param>
public readonly record struct WeightSend(int DestinationRank, int FirstPiece, int PieceCount, long Bytes, long Units);
