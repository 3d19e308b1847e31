namespace Garden.Weights;

/// <summary>A shard map whose two meshes are known: who sends what to whom, how much, and what a receiver waits for. 40 bytes, no references.</summary>
/// <remarks>
/// Both sides lay out their tensors one after the other in the order of the rules, each at a multiple of 256 bytes; the experts of a
/// layer follow each other, fused tensors stand in the place of their first member, the scales of converted tensors behind
/// all tensors of their rule or fusion. Where several trainer ranks hold equal copies, the copy that sends to receiver d is number
/// <c>(d + outer + rule) mod copies</c>, so that copies share receivers, layers and rules.
/// </remarks>
/// <typeparam name="TMap">The annotated struct.</typeparam>
public readonly struct WeightMeshes<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private WeightMeshes(WeightMesh trainer, WeightMesh inference)
    {
        Trainer = trainer;
        Inference = inference;
    }

    /// <summary>The trainer's mesh.</summary>
    public WeightMesh Trainer { get; }

    /// <summary>The inference mesh.</summary>
    public WeightMesh Inference { get; }

    /// <summary>Bytes of the tensors at a trainer rank.</summary>
    public long TrainerBytes => WeightSides.TrainerBytes(WeightPart.Of<TMap>(), Trainer);

    /// <summary>Bytes of the tensors at an inference rank.</summary>
    public long InferenceBytes => WeightSides.InferenceBytes(WeightPart.Of<TMap>(), Inference);

    /// <summary>The meshes declared with the map.</summary>
    /// <exception cref="PlanException">A size is left to run time.</exception>
    public static WeightMeshes<TMap> Create() => Create(TMap.TrainerMesh, TMap.InferenceMesh);

    /// <summary>Meshes with the sizes that the map leaves to run time.</summary>
    /// <exception cref="PlanException">A mesh has another number of axes or another size than declared, a tensor does not divide over it, or the tensors of a rank exceed 2⁶³−1 bytes.</exception>
    public static WeightMeshes<TMap> Create(WeightMesh trainer, WeightMesh inference)
    {
        WeightMeshRules.RequireDeclared("trainer", trainer, TMap.TrainerMesh);
        WeightMeshRules.RequireDeclared("inference", inference, TMap.InferenceMesh);
        foreach (ref readonly WeightPart part in WeightPart.Of<TMap>())
        {
            WeightMeshRules.RequireDivisible("trainer", TMap.PatternOf(part.Rule), in part, part.Trainer, in trainer);
            WeightMeshRules.RequireDivisible("inference", TMap.PatternOf(part.Rule), in part, part.Inference, in inference);
        }

        var meshes = new WeightMeshes<TMap>(trainer, inference);
        try
        {
            _ = checked(meshes.TrainerBytes + meshes.InferenceBytes);
        }
        catch (OverflowException)
        {
            throw new PlanException($"The tensors of {typeof(TMap).Name} exceed 2^63 - 1 bytes on a rank of trainer mesh {trainer} or inference mesh {inference}; shard them.");
        }

        return meshes;
    }

    /// <summary>Everything a trainer rank sends. Staged runs count their offset from where the staging memory for their receiver begins.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rank is not one of the trainer's.</exception>
    public WeightRuns<TMap> Sends(int trainerRank)
    {
        WeightMeshRules.RequireRank(trainerRank, Trainer, nameof(trainerRank));
        return new WeightRuns<TMap>(Trainer, Inference, trainerRank, sends: true);
    }

    /// <summary>Everything an inference rank receives: the inverse of <see cref="Sends"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rank is not one of the inference side's.</exception>
    public WeightRuns<TMap> Receives(int inferenceRank)
    {
        WeightMeshRules.RequireRank(inferenceRank, Inference, nameof(inferenceRank));
        return new WeightRuns<TMap>(Trainer, Inference, inferenceRank, sends: false);
    }

    /// <summary>The sums over <see cref="Sends"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rank is not one of the trainer's.</exception>
    public WeightTotals SentBy(int trainerRank)
    {
        WeightMeshRules.RequireRank(trainerRank, Trainer, nameof(trainerRank));
        WeightTotals totals = default;
        for (int rank = 0; rank < Inference.Ranks; rank++)
            Add(ref totals, trainerRank, rank);
        return totals;
    }

    /// <summary>The sums over <see cref="Receives"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rank is not one of the inference side's.</exception>
    public WeightTotals ReceivedBy(int inferenceRank)
    {
        WeightMeshRules.RequireRank(inferenceRank, Inference, nameof(inferenceRank));
        WeightTotals totals = default;
        for (int rank = 0; rank < Trainer.Ranks; rank++)
            Add(ref totals, rank, inferenceRank);
        return totals;
    }

    /// <summary>The units a counter of an inference rank reaches when all has arrived.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rank is not one of the inference side's.</exception>
    public long ExpectedUnits(int inferenceRank) => ReceivedBy(inferenceRank).Units;

    /// <summary>What one rank sends another, ready for <see cref="WeightWrites"/>. Allocates; a route is made once.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A rank is not one of its mesh.</exception>
    public WeightRoute Route(int trainerRank, int inferenceRank)
    {
        WeightMeshRules.RequireRank(trainerRank, Trainer, nameof(trainerRank));
        WeightMeshRules.RequireRank(inferenceRank, Inference, nameof(inferenceRank));
        var all = new List<WeightPiece>();
        var assemblies = new List<WeightAssembly>();
        WeightTotals totals = default;
        long staging = 0;
        var overlaps = new WeightOverlaps<TMap>(Trainer, Inference, trainerRank, inferenceRank);
        WeightPieces pieces = default;
        while (overlaps.MoveNext(out WeightOverlap overlap))
        {
            int count = overlap.Write(staging, ref pieces);
            foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
            {
                all.Add(piece);
                totals = totals.Plus(in piece);
            }

            if (overlap.Stage != WeightStage.Direct)
                assemblies.Add(new WeightAssembly(overlap, staging));
            staging += overlap.StagingBytes;
        }

        return new WeightRoute([.. all], [.. assemblies], totals with { Peers = all.Count == 0 ? 0 : 1 }, staging);
    }

    private void Add(ref WeightTotals totals, int trainerRank, int inferenceRank)
    {
        var overlaps = new WeightOverlaps<TMap>(Trainer, Inference, trainerRank, inferenceRank);
        WeightPieces pieces = default;
        bool any = false;
        while (overlaps.MoveNext(out WeightOverlap overlap))
        {
            any = true;
            int count = overlap.Write(0, ref pieces);
            foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
                totals = totals.Plus(in piece);
        }

        if (any)
            totals = totals with { Peers = totals.Peers + 1 };
    }
}
