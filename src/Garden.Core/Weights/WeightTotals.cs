namespace Garden.Weights;

/// <summary>Sums over what a rank sends or receives.</summary>
/// <param name="Bytes">Bytes written.</param>
/// <param name="Writes">Runs, before the engine splits long ones.</param>
/// <param name="Units">Units the receivers count (see <see cref="TransferUnits"/>).</param>
/// <param name="StagedBytes">Bytes of them that an assemble stage packs or converts first.</param>
/// <param name="SmallWrites">Runs below <see cref="WeightOverlap.SmallRow"/> bytes: small tensors, and rows that packing at the source does not make longer.</param>
/// <param name="Peers">Ranks on the other side.</param>
public readonly record struct WeightTotals(long Bytes, long Writes, long Units, long StagedBytes, long SmallWrites, int Peers)
{
    internal WeightTotals Plus(in WeightPiece piece) => this with
    {
        Bytes = Bytes + piece.Bytes,
        Writes = Writes + piece.Runs,
        Units = Units + piece.Units,
        StagedBytes = StagedBytes + (piece.Stage == WeightStage.Direct ? 0 : piece.Bytes),
        SmallWrites = SmallWrites + (piece.Length < WeightOverlap.SmallRow ? piece.Runs : 0),
    };
}
