namespace Garden.Weights;

/// <summary>
/// Who sends what to whom in every update, and in what order: worked out once for a map, its meshes and the ranks that are
/// present, by one rank or a controller, and loaded by all others.
/// </summary>
/// <remarks>
/// <para>
/// Where several trainer ranks could send a part of a tensor (equal copies, or the holders of parts of a converted block row) the
/// schedule says which one does, so that the most loaded NIC has as little to send as it can. Every sender takes its tasks layer
/// by layer, and inside a layer so that receivers are not crowded.
/// </para>
/// <para>
/// The wire form holds decisions, not addresses: offsets and lengths come from the map and the meshes on every rank, so that a
/// damaged or hostile schedule can at worst be refused. Immutable; all members may be called from any thread.
/// </para>
/// </remarks>
public sealed class WeightSchedule
{
    private readonly WeightCell[] _cells;
    private readonly int[][] _items;
    private readonly int[] _senders;
    private readonly WeightPlanSides _sides;

    private WeightSchedule(
        WeightPlanSides sides, WeightCell[] cells, int[] senders, int[][] items, ulong mapHash, WeightMesh trainer, WeightMesh inference, WeightMembers members,
        WeightScheduleOptions options)
    {
        (_sides, _cells, _senders, _items, MapHash, Trainer, Inference, Members, Options) =
            (sides, cells, senders, items, mapHash, trainer, inference, members, options);
    }

    /// <summary>The hash of the map it was made for.</summary>
    public ulong MapHash { get; }

    /// <summary>The trainer's mesh.</summary>
    public WeightMesh Trainer { get; }

    /// <summary>The inference mesh.</summary>
    public WeightMesh Inference { get; }

    /// <summary>The ranks that take part.</summary>
    public WeightMembers Members { get; }

    /// <summary>How it was made; its <see cref="WeightScheduleOptions.Epoch"/> is the schedule's number.</summary>
    public WeightScheduleOptions Options { get; }

    /// <summary>Number of tasks over all senders.</summary>
    public int Tasks => _senders.Length;

    internal WeightPlanSides Sides => _sides;

    internal WeightCell[] Cells => _cells;

    /// <summary>A trainer rank's items, in order.</summary>
    internal ReadOnlySpan<int> ItemsOf(int trainerRank) => _items[trainerRank];

    /// <summary>
    /// Makes a schedule. When ranks join or leave, make another one with the changed members and the next epoch; when a mesh
    /// changes its size, with new meshes.
    /// </summary>
    /// <typeparam name="TMap">The annotated struct.</typeparam>
    /// <param name="meshes">The map's meshes.</param>
    /// <param name="members">The ranks that take part; all of them when null.</param>
    /// <param name="options">Sizes and number; the defaults when null.</param>
    /// <exception cref="ArgumentException"><paramref name="members"/> belong to other meshes.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><see cref="WeightScheduleOptions.TaskBytes"/> is below <see cref="WeightScheduleOptions.LeastTaskBytes"/>.</exception>
    /// <exception cref="PlanException">A part of a tensor is held by absent ranks only, or there would be more than 2²⁵ tasks.</exception>
    public static WeightSchedule Plan<TMap>(WeightMeshes<TMap> meshes, WeightMembers? members = null, WeightScheduleOptions? options = null)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        options ??= new WeightScheduleOptions();
        members ??= WeightMembers.All(meshes.Trainer, meshes.Inference);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.TaskBytes, WeightScheduleOptions.LeastTaskBytes, nameof(options));
        if (members.TrainerRanks != meshes.Trainer.Ranks || members.InferenceRanks != meshes.Inference.Ranks)
            throw new ArgumentException($"Members are of {members}; the meshes have {meshes.Trainer.Ranks} and {meshes.Inference.Ranks} ranks.", nameof(members));
        WeightPlanSides sides = new([.. WeightPart.Of<TMap>()], meshes.Trainer, meshes.Inference);
        WeightCell[] cells = WeightCellBuilder.Build(sides, members, TMap.PatternOf, options.TaskBytes);
        int[] senders = WeightBalance.Senders(cells, meshes.Trainer.Ranks);
        int[][] items = WeightOrder.Of(cells, senders, meshes.Trainer.Ranks, meshes.Inference.Ranks);
        return new WeightSchedule(sides, cells, senders, items, TMap.MapHash, meshes.Trainer, meshes.Inference, members, options);
    }

    /// <summary>Reads a schedule that another rank made with <see cref="ToBytes"/>.</summary>
    /// <typeparam name="TMap">The annotated struct.</typeparam>
    /// <param name="meshes">This rank's meshes.</param>
    /// <param name="bytes">The wire form.</param>
    /// <exception cref="DescriptorException">The bytes are not a schedule, or one for another map, other meshes or another Garden version; the message says which.</exception>
    /// <exception cref="PlanException">The ranks that it says are present do not hold all tensors.</exception>
    public static WeightSchedule Load<TMap>(WeightMeshes<TMap> meshes, ReadOnlySpan<byte> bytes)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        WeightScheduleFile.Header header = WeightScheduleFile.ReadHeader(bytes, TMap.MapHash, meshes.Trainer, meshes.Inference);
        WeightPlanSides sides = new([.. WeightPart.Of<TMap>()], meshes.Trainer, meshes.Inference);
        WeightCell[] cells = WeightCellBuilder.Build(sides, header.Members, TMap.PatternOf, header.Options.TaskBytes, header.Tasks);
        int[][] items = WeightScheduleFile.ReadItems(bytes, in header, cells, meshes.Trainer.Ranks, out int[] senders);
        return new WeightSchedule(sides, cells, senders, items, TMap.MapHash, meshes.Trainer, meshes.Inference, header.Members, header.Options);
    }

    /// <summary>The wire form: versioned and checksummed, 4 bytes a task and about 100 more. Equal schedules have equal bytes.</summary>
    public byte[] ToBytes() => WeightScheduleFile.Write(this, _cells, _items, _senders.Length);

    /// <summary>What a trainer rank sends, ready to be written. Allocates; a rank makes its plan once for a schedule.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The trainer mesh has no such rank.</exception>
    public WeightSenderPlan SenderPlan(int trainerRank)
    {
        WeightMeshRules.RequireRank(trainerRank, Trainer, nameof(trainerRank));
        return new WeightSenderPlanBuilder(_sides, Members, _cells, trainerRank, Trainer.Ranks).Build(_items[trainerRank]);
    }

    /// <summary>The trainer ranks that gather parts of blocks from a trainer rank (see <see cref="WeightSenderPlan.Gathers"/>), in order.</summary>
    internal int[] RanksThatReadFrom(int trainerRank) => WeightGathers.RanksThatReadFrom(trainerRank, _sides, Members, _cells, _senders);

    /// <summary>What an inference rank receives, one entry a sender, in the order of ranks. Allocates.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The inference mesh has no such rank.</exception>
    public WeightExpectation[] Expectations(int inferenceRank)
    {
        WeightMeshRules.RequireRank(inferenceRank, Inference, nameof(inferenceRank));
        return WeightReceipts.Of(_sides, _cells, _senders, inferenceRank, Trainer.Ranks);
    }

    /// <summary>Bytes that every trainer rank sends; 0 for absent ones.</summary>
    public long[] BytesSent()
    {
        long[] bytes = new long[Trainer.Ranks];
        foreach (WeightCell cell in _cells)
        {
            long[] groups = [.. Enumerable.Range(0, cell.Groups).Select(cell.BytesOf)];
            for (int item = 0; item < cell.Items; item++)
                bytes[_senders[cell.FirstItem + item]] += groups[item % cell.Groups];
        }

        return bytes;
    }

    /// <summary>Bytes that every inference rank receives; 0 for absent ones.</summary>
    public long[] BytesReceived()
    {
        long[] bytes = new long[Inference.Ranks];
        foreach (WeightCell cell in _cells)
        {
            foreach (ref readonly WeightTarget target in cell.Targets.AsSpan())
                bytes[target.Rank] += cell.Outers * (long)(target.EndExpert - target.FirstExpert) * target.BytesPerTensor;
        }

        return bytes;
    }
}
