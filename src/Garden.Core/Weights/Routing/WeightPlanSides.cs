namespace Garden.Weights;

/// <summary>Where every row of a map lies on every rank of both meshes: what the planner looks up instead of walking the map.</summary>
internal sealed class WeightPlanSides
{
    private readonly WeightSide[][] _trainer;
    private readonly WeightSide[][] _inference;

    public WeightPlanSides(WeightPart[] parts, WeightMesh trainer, WeightMesh inference)
    {
        Parts = parts;
        _trainer = new WeightSide[parts.Length][];
        _inference = new WeightSide[parts.Length][];
        long offset = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            (_trainer[i], _inference[i]) = (new WeightSide[trainer.Ranks], new WeightSide[inference.Ranks]);
            for (int rank = 0; rank < trainer.Ranks; rank++)
                _trainer[i][rank] = WeightSides.AtTrainer(in parts[i], in trainer, rank, offset);
            if (trainer.Ranks != 0)
                offset += WeightSides.BytesHeld(in parts[i], in _trainer[i][0]);
        }

        for (int rank = 0; rank < inference.Ranks; rank++)
        {
            WeightOutput output = default;
            for (int i = 0; i < parts.Length; i++)
            {
                output.MoveTo(i, parts, in inference, rank);
                _inference[i][rank] = output.Side(in parts[i], in inference, rank);
            }
        }
    }

    /// <summary>The rows of the map.</summary>
    public WeightPart[] Parts { get; }

    public ref readonly WeightSide Trainer(int part, int rank) => ref _trainer[part][rank];

    public ref readonly WeightSide Inference(int part, int rank) => ref _inference[part][rank];

    /// <summary>The row of a converted row's scales; −1 for others.</summary>
    public int ScalesOf(int part) =>
        Parts[part].IsConverted ? Array.FindIndex(Parts, other => other.IsScales && other.Rule == Parts[part].Rule) : -1;
}
