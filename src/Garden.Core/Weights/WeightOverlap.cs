namespace Garden.Weights;

/// <summary>
/// What one trainer rank owes one inference rank of a row of the map: a box of elements, the same of several tensors, and where
/// it lies on both sides.
/// </summary>
/// <remarks>
/// Elements are numbered inside the box row-major; flat splits leave the range [<see cref="PackedFirst"/>,
/// <see cref="PackedEnd"/>) of these numbers. An assemble stage packs in this order. For scales, ranges count blocks.
/// </remarks>
public readonly struct WeightOverlap
{
    /// <summary>Rows below this many bytes are packed at the source where that makes them longer: what a NIC needs to run at its rate.</summary>
    public const int SmallRow = 4096;

    /// <summary>The row of the map.</summary>
    public int Part { get; private init; }

    /// <summary>The rank that sends.</summary>
    public int SourceRank { get; private init; }

    /// <summary>The rank that receives.</summary>
    public int DestinationRank { get; private init; }

    /// <summary>The first combination of the variables other than the expert.</summary>
    public int FirstOuter { get; private init; }

    /// <summary>From one of these combinations to the next: equal copies at the source take turns.</summary>
    public int OuterStep { get; private init; }

    /// <summary>How many of them.</summary>
    public int OuterCount { get; private init; }

    /// <summary>The first expert.</summary>
    public int FirstExpert { get; private init; }

    /// <summary>Number of experts.</summary>
    public int ExpertCount { get; private init; }

    /// <summary>The box along dimension 0.</summary>
    public WeightRange Rows { get; private init; }

    /// <summary>The box along dimension 1.</summary>
    public WeightRange Columns { get; private init; }

    /// <summary>The box along dimension 2.</summary>
    public WeightRange Depth { get; private init; }

    /// <summary>The first element moved, numbered inside the box.</summary>
    public long PackedFirst { get; private init; }

    /// <summary>The element behind the last one moved.</summary>
    public long PackedEnd { get; private init; }

    /// <summary>Bytes an element (of the first three dimensions) as it arrives.</summary>
    public long ElementBytes { get; private init; }

    /// <summary>Where the bytes come from.</summary>
    public WeightStage Stage { get; private init; }

    /// <summary>Bytes moved of one tensor.</summary>
    public long BytesPerTensor => (PackedEnd - PackedFirst) * ElementBytes;

    /// <summary>Bytes of all tensors.</summary>
    public long Bytes => OuterCount * ExpertCount * BytesPerTensor;

    /// <summary>Bytes of staging memory needed.</summary>
    public long StagingBytes => Stage == WeightStage.Direct ? 0 : WeightSide.Align(Bytes);

    internal WeightGrid SourceGrid { get; private init; }

    internal WeightGrid DestinationGrid { get; private init; }

    internal WeightStrides Source { get; private init; }

    internal WeightStrides Destination { get; private init; }

    internal long FirstTensor { get; private init; }

    internal long TensorsPerOuter { get; private init; }

    /// <summary>What <paramref name="source"/> owes <paramref name="destination"/>; false when that is nothing.</summary>
    internal static bool TryCreate(int index, in WeightPart part, in WeightSide source, in WeightSide destination, out WeightOverlap overlap)
    {
        WeightBox from = source.Box;
        // Copies take turns over receivers, tensors and rules.
        int turn = (int)(((long)from.Replica - destination.Rank - part.Rule) % from.Replicas);
        return TryCreate(index, in part, in source, in destination, from.Flat, turn < 0 ? turn + from.Replicas : turn, from.Replicas, out overlap);
    }

    /// <summary>
    /// The same of some tensors and positions: every <paramref name="outerStep"/>-th combination from <paramref name="firstOuter"/> on,
    /// and of the source's box the positions of <paramref name="window"/>, unless the elements are converted.
    /// </summary>
    internal static bool TryCreate(
        int index, in WeightPart part, in WeightSide source, in WeightSide destination, in WeightRange window, int firstOuter, int outerStep, out WeightOverlap overlap)
    {
        overlap = default;
        WeightBox from = source.Box, to = destination.Box;
        WeightRange experts = Intersect(from.Experts, to.Experts);
        WeightRange rows = Intersect(from.Ranges[0], to.Ranges[0]);
        WeightRange columns = Intersect(from.Ranges[1], to.Ranges[1]);
        WeightRange depth = Intersect(from.Ranges[2], to.Ranges[2]);
        if (experts.Count == 0 || rows.Count == 0 || columns.Count == 0 || depth.Count == 0 || firstOuter >= part.Outers)
            return false;

        var shape = new WeightGrid(rows.Count, columns.Count, depth.Count);
        WeightStrides sourceStrides = source.Strides(rows.First, columns.First, depth.First, experts.First, firstOuter, outerStep);
        WeightStrides destinationStrides = destination.Strides(rows.First, columns.First, depth.First, experts.First, firstOuter, outerStep);
        (long first, long end) = destination.Window(to.Flat, shape, rows.First, columns.First, depth.First);
        if (!part.IsConverted)
        {
            (long sourceFirst, long sourceEnd) = source.Window(in window, shape, rows.First, columns.First, depth.First);
            (first, end) = (Math.Max(first, sourceFirst), Math.Min(end, sourceEnd));
        }

        if (first >= end)
            return false;
        WeightGrid atSource = shape.Joined(in from), atDestination = shape.Joined(in to);
        WeightStage stage =
            part.IsConverted ? WeightStage.Converted
            : atSource.Run < atDestination.Run && atSource.Run * part.InferenceBytes < SmallRow ? WeightStage.Packed
            : WeightStage.Direct;
        overlap = new WeightOverlap
        {
            Part = index,
            SourceRank = source.Rank,
            DestinationRank = destination.Rank,
            FirstOuter = firstOuter,
            OuterStep = outerStep,
            OuterCount = ((part.Outers - firstOuter - 1) / outerStep) + 1,
            FirstExpert = (int)experts.First,
            ExpertCount = (int)experts.Count,
            Rows = rows,
            Columns = columns,
            Depth = depth,
            PackedFirst = first,
            PackedEnd = end,
            ElementBytes = part.InferenceBytes,
            Stage = stage,
            SourceGrid = atSource,
            DestinationGrid = atDestination,
            Source = sourceStrides,
            Destination = destinationStrides,
            FirstTensor = part.FirstTensor + ((long)firstOuter * part.Experts) + experts.First,
            TensorsPerOuter = (long)outerStep * part.Experts,
        };
        return true;
    }

    /// <summary>Some combinations and experts of an overlap that takes every combination. Both counts are 1 or more and inside it.</summary>
    internal WeightOverlap Of(int firstOuter, int outerCount, int firstExpert, int expertCount)
    {
        long outers = firstOuter - FirstOuter, experts = firstExpert - FirstExpert;
        return this with
        {
            FirstOuter = firstOuter,
            OuterCount = outerCount,
            FirstExpert = firstExpert,
            ExpertCount = expertCount,
            Source = Source with { Start = Source.Start + (outers * Source.Outer) + (experts * Source.Expert) },
            Destination = Destination with { Start = Destination.Start + (outers * Destination.Outer) + (experts * Destination.Expert) },
            FirstTensor = FirstTensor + (outers * TensorsPerOuter) + experts,
        };
    }

    /// <summary>True when both take the same elements in the same way, so that what is staged for one serves the other.</summary>
    internal bool StagesLike(in WeightOverlap other) =>
        Stage == other.Stage && Part == other.Part
        && (FirstOuter, OuterCount, FirstExpert, ExpertCount) == (other.FirstOuter, other.OuterCount, other.FirstExpert, other.ExpertCount)
        && (Rows, Columns, Depth, PackedFirst, PackedEnd) == (other.Rows, other.Columns, other.Depth, other.PackedFirst, other.PackedEnd);

    /// <summary>The pieces to write, in the order of the box; those of a staged overlap come from <paramref name="staging"/> on.</summary>
    internal int Write(long staging, ref WeightPieces pieces)
    {
        // Staged bytes are as long in a row as the destination takes them, others as both sides have them.
        bool staged = Stage != WeightStage.Direct;
        WeightGrid grid = staged || DestinationGrid.Run < SourceGrid.Run ? DestinationGrid : SourceGrid;
        return WeightPieceSplitter.Split(in this, grid, staged ? Packed(staging, grid) : Source, Destination, Stage, ref pieces);
    }

    /// <summary>The runs from where the sender holds them, even where <see cref="Write"/> would stage them.</summary>
    internal int WriteInPlace(ref WeightPieces pieces) => WeightPieceSplitter.Split(
        in this, DestinationGrid.Run < SourceGrid.Run ? DestinationGrid : SourceGrid, Source, Destination, WeightStage.Direct, ref pieces);

    /// <summary>The copies that pack a <see cref="WeightStage.Packed"/> overlap: from the sender's tensors to its staging memory.</summary>
    internal int Pack(long staging, ref WeightPieces pieces) =>
        WeightPieceSplitter.Split(in this, SourceGrid, Source, Packed(staging, SourceGrid), WeightStage.Direct, ref pieces);

    /// <summary>The first element moved of the first tensor is at <paramref name="staging"/>, and everything follows without gaps.</summary>
    private WeightStrides Packed(long staging, WeightGrid grid) => new(
        staging - (PackedFirst * ElementBytes),
        ExpertCount * BytesPerTensor,
        BytesPerTensor,
        grid.Columns * grid.Run * ElementBytes,
        grid.Run * ElementBytes);

    private static WeightRange Intersect(in WeightRange left, in WeightRange right) =>
        new(Math.Max(left.First, right.First), Math.Min(left.End, right.End), 0);
}
