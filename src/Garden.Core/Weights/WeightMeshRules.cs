using System.Diagnostics.CodeAnalysis;

namespace Garden.Weights;

/// <summary>What meshes given at run time must fulfil. The analyzer has checked the same for sizes that are constants.</summary>
internal static class WeightMeshRules
{
    public static void RequireRank(int rank, WeightMesh mesh, string name)
    {
        if ((uint)rank >= (uint)mesh.Ranks)
            ThrowRank(rank, mesh, name);
    }

    public static void RequireDeclared(string side, WeightMesh given, WeightMesh declared)
    {
        if (given.Axes != declared.Axes)
            throw new PlanException($"The {side} mesh {given} has {given.Axes} axes, the map declares {declared.Axes}; give a size for each.");
        for (int axis = 0; axis < declared.Axes; axis++)
        {
            if (given[axis] == 0)
                throw new PlanException($"Axis {axis} of the {side} mesh is left to run time; pass a mesh with its size.");
            if (declared[axis] != 0 && given[axis] != declared[axis])
                throw new PlanException($"Axis {axis} of the {side} mesh is {given[axis]}, the map declares {declared[axis]}; declare it as ? to give it at run time.");
        }
    }

    /// <summary>Every split divides what the ones before it left, unless it pads; and splits of converted tensors at inference cut between blocks.</summary>
    public static void RequireDivisible(string side, string rule, in WeightPart part, WeightPlacement placement, in WeightMesh mesh)
    {
        // The experts come behind the three dimensions.
        ReadOnlySpan<long> whole = [part.Rows, part.Columns, part.Depth, part.Experts];
        Span<long> local = [part.Rows, part.Columns, part.Depth, part.Experts];
        for (int i = 0; placement[i] is { Kind: not WeightSplitKind.None } split; i++)
        {
            int shards = mesh[split.Axis];
            if (split.MostShards != 0 && shards > split.MostShards)
            {
                if (shards % split.MostShards != 0)
                    ThrowCopies(side, rule, shards, split);
                shards = split.MostShards;
            }

            if (split.Kind == WeightSplitKind.Flat)
                continue;
            ref long count = ref local[split.Kind == WeightSplitKind.Experts ? 3 : split.Dimension];
            if (count % shards != 0 && !split.Pads)
                ThrowNotDivisible(side, rule, split, count, shards);
            count = WeightRange.CeilingDivide(count, shards);
        }

        if (!part.IsConverted || side != "inference")
            return;
        for (int dimension = 0; dimension < 2; dimension++)
        {
            if (local[dimension] != whole[dimension] && local[dimension] % part.Block != 0)
                ThrowCutBlock(rule, dimension, local[dimension], part.Block);
        }
    }

    [DoesNotReturn]
    private static void ThrowRank(int rank, WeightMesh mesh, string name) =>
        throw new ArgumentOutOfRangeException(name, rank, $"The mesh {mesh} has ranks 0 to {mesh.Ranks - 1}; pass the rank within its own side.");

    [DoesNotReturn]
    private static void ThrowCopies(string side, string rule, int ranks, WeightSplit split) => throw new PlanException(
        $"{rule}: {ranks} ranks of axis {split.Axis} of the {side} mesh cannot hold {split.MostShards} shards in equal numbers; make one a multiple of the other.");

    [DoesNotReturn]
    private static void ThrowNotDivisible(string side, string rule, WeightSplit split, long count, int shards)
    {
        string what = split.Kind == WeightSplitKind.Experts ? "experts" : $"elements along dimension {split.Dimension}";
        throw new PlanException(
            $"{rule}: {count} {what} do not divide over {shards} ranks of axis {split.Axis} of the {side} mesh; add pad to the split to let the last ranks have less.");
    }

    [DoesNotReturn]
    private static void ThrowCutBlock(string rule, int dimension, long held, int block) => throw new PlanException(
        $"{rule}: an inference rank would hold {held} elements along dimension {dimension}, which cuts a {block} × {block} block; choose a mesh that leaves multiples of {block}.");
}
