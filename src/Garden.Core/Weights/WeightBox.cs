namespace Garden.Weights;

/// <summary>What one rank holds of the tensors of a row: a box of each, or a flat range of the box, for a range of experts.</summary>
internal struct WeightBox
{
    /// <summary>The ranges along the dimensions. An element lies at the row-major position inside them, counted by <see cref="WeightRange.Local"/>.</summary>
    public WeightRanges Ranges;

    /// <summary>The positions held, which are all of the box but under a flat split.</summary>
    public WeightRange Flat;

    /// <summary>The experts held.</summary>
    public WeightRange Experts;

    /// <summary>Which of the <see cref="Replicas"/> equal copies this is.</summary>
    public int Replica;

    /// <summary>Ranks that hold the very same.</summary>
    public int Replicas;

    /// <summary>Elements (of the first three dimensions) of one tensor that the rank has room for.</summary>
    public readonly long Cells => Flat.Local;

    /// <summary>What a rank holds. The rank must be one of the mesh.</summary>
    public static WeightBox Of(in WeightPart part, WeightPlacement placement, in WeightMesh mesh, int rank)
    {
        var box = new WeightBox { Experts = new WeightRange(0, part.Experts, part.Experts), Replicas = 1 };
        box.Ranges[0] = new WeightRange(0, part.Rows, part.Rows);
        box.Ranges[1] = new WeightRange(0, part.Columns, part.Columns);
        box.Ranges[2] = new WeightRange(0, part.Depth, part.Depth);
        bool flat = false;
        int used = 0;
        for (int i = 0; placement[i] is { Kind: not WeightSplitKind.None } split; i++)
        {
            used |= 1 << split.Axis;
            (int shards, int shard) = box.ShardOf(split, mesh[split.Axis], mesh.Coordinate(rank, split.Axis));
            if (split.Kind == WeightSplitKind.Experts)
            {
                box.Experts = box.Experts.Cut(shards, shard);
            }
            else if (split.Kind == WeightSplitKind.Flat)
            {
                box.Flat = box.WholeFlat.Cut(shards, shard);
                flat = true;
            }
            else
            {
                box.Ranges[split.Dimension] = box.Ranges[split.Dimension].Cut(shards, shard);
            }
        }

        if (!flat)
            box.Flat = box.WholeFlat;
        for (int axis = 0; axis < mesh.Axes; axis++)
        {
            if ((used & (1 << axis)) == 0)
                box.AddCopies(mesh[axis], mesh.Coordinate(rank, axis));
        }

        return box;
    }

    /// <summary>
    /// What the rank converts: the blocks whose first element it holds. Under a flat split the block rows of its box whose
    /// first element it holds, so that what a rank converts is always a box.
    /// </summary>
    public readonly WeightBox OwnedBlocks(in WeightPart part)
    {
        WeightBox owned = this;
        WeightRange rows = Ranges[0];
        long pitch = Ranges[1].Local * Ranges[2].Local;
        rows = rows with
        {
            First = rows.First + WeightRange.CeilingDivide(Flat.First, pitch),
            End = Math.Min(rows.End, rows.First + WeightRange.CeilingDivide(Flat.End, pitch)),
        };
        owned.Ranges[0] = rows.BlocksFrom(part.Block, part.Rows);
        owned.Ranges[1] = Ranges[1].BlocksFrom(part.Block, part.Columns);
        return owned;
    }

    /// <summary>The same box in blocks, for the scales.</summary>
    public readonly WeightBox InBlocks(int block)
    {
        WeightBox blocks = this;
        blocks.Ranges[0] = Ranges[0].InBlocks(block);
        blocks.Ranges[1] = Ranges[1].InBlocks(block);
        blocks.Flat = blocks.WholeFlat;
        return blocks;
    }

    private readonly WeightRange WholeFlat
    {
        get
        {
            long cells = Ranges[0].Local * Ranges[1].Local * Ranges[2].Local;
            return new WeightRange(0, cells, cells);
        }
    }

    private (int Shards, int Shard) ShardOf(WeightSplit split, int size, int coordinate)
    {
        if (split.MostShards == 0 || size <= split.MostShards)
            return (size, coordinate);
        int copies = size / split.MostShards;
        AddCopies(copies, coordinate % copies);
        return (split.MostShards, coordinate / copies);
    }

    private void AddCopies(int copies, int copy)
    {
        Replica = (Replica * copies) + copy;
        Replicas *= copies;
    }
}
