namespace Garden.Weights;

/// <summary>The tensors that a trainer rank holds, in the order in which its tasks need them; those that only others gather come last.</summary>
internal sealed class WeightLoadList
{
    private readonly (int Tensor, WeightHolding Holding)[] _order;
    private readonly int[] _position;

    private WeightLoadList((int, WeightHolding)[] order, int[] position, int[] ends)
    {
        _order = order;
        _position = position;
        TaskEnds = ends;
    }

    public int Count => _order.Length;

    /// <summary>For each task, how many tensors must be loaded before it can be assembled.</summary>
    public int[] TaskEnds { get; }

    public (int Tensor, WeightHolding Holding) this[int index] => _order[index];

    public static WeightLoadList Of<TMap>(WeightMeshes<TMap> meshes, int rank, ReadOnlySpan<WeightTask> tasks)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        ReadOnlySpan<WeightPart> parts = WeightPart.Of<TMap>();
        var order = new List<(int, WeightHolding)>();
        int[] position = new int[TMap.TensorCount], ends = new int[tasks.Length];
        position.AsSpan().Fill(-1);
        for (int i = 0; i < tasks.Length; i++)
        {
            ref readonly WeightTask task = ref tasks[i];
            ref readonly WeightPart part = ref parts[task.Part];
            for (int outer = task.FirstOuter; outer < task.FirstOuter + task.OuterCount; outer++)
            {
                for (int expert = task.FirstExpert; expert < task.FirstExpert + task.ExpertCount; expert++)
                    ends[i] = Math.Max(ends[i], Add(part.FirstTensor + (outer * part.Experts) + expert) + 1);
            }
        }

        for (int tensor = 0; tensor < position.Length; tensor++)
            Add(tensor);
        return new WeightLoadList([.. order], position, ends);

        int Add(int tensor)
        {
            // A rank may convert blocks of which it holds nothing itself.
            if (position[tensor] < 0 && WeightTensors<TMap>.AtTrainer(in meshes, rank, tensor) is { Flat.Count: > 0 } holding)
            {
                position[tensor] = order.Count;
                order.Add((tensor, holding));
            }

            return position[tensor];
        }
    }

    /// <summary>How many tensors must be loaded before pieces can be read.</summary>
    /// <exception cref="DescriptorException">A piece is of tensors that the map does not have.</exception>
    public int EndOf(ReadOnlySpan<WeightPiece> pieces)
    {
        int end = 0;
        foreach (ref readonly WeightPiece piece in pieces)
            end = Math.Max(end, EndOf(in piece, 0, piece.FirstTensor));
        return end;
    }

    private int EndOf(in WeightPiece piece, int depth, long tensor)
    {
        if (tensor < 0 || tensor >= _position.Length)
            throw new DescriptorException($"A run is of tensor {tensor}; there are {_position.Length}.");
        if (depth == WeightLevels.Count)
            return _position[tensor] + 1;
        ref readonly WeightLevel level = ref piece.Levels[depth];
        // A loop inside a tensor adds none.
        long turns = level.TensorStride == 0 ? 1 : level.Count;
        int end = 0;
        for (long turn = 0; turn < turns; turn++)
            end = Math.Max(end, EndOf(in piece, depth + 1, tensor + (turn * level.TensorStride)));
        return end;
    }
}
