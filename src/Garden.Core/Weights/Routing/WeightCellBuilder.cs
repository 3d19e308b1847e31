using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Garden.Weights;

/// <summary>Cuts a map's tensors into the cells of a schedule. The same arguments always give the same cells, on every machine.</summary>
internal sealed class WeightCellBuilder
{
    /// <summary>The most items: beyond them a schedule would be larger than it is worth.</summary>
    public const int MostItems = 1 << 25;

    /// <summary>An item that can go to several senders is at most this part of what a sender sends, so that loads come out equal.</summary>
    private const int ItemsPerSender = 100;

    private readonly WeightPlanSides _sides;
    private readonly WeightMembers _members;
    private readonly Func<int, string> _nameOf;
    private readonly long _taskBytes;
    private readonly long _itemBytes;
    private readonly int _mostItems;
    private readonly List<WeightCell> _cells = [];
    private int _items;

    private WeightCellBuilder(WeightPlanSides sides, WeightMembers members, Func<int, string> nameOf, long taskBytes, int mostItems)
    {
        (_sides, _members, _nameOf, _taskBytes, _mostItems) = (sides, members, nameOf, taskBytes, mostItems);
        _itemBytes = BytesSent() / Math.Max(1, members.Trainers) / ItemsPerSender;
    }

    /// <summary>The cells.</summary>
    /// <exception cref="PlanException">A part of a tensor is on absent ranks only, or there are more than <paramref name="mostItems"/> items.</exception>
    public static WeightCell[] Build(WeightPlanSides sides, WeightMembers members, Func<int, string> nameOf, long taskBytes, int mostItems = MostItems)
    {
        var builder = new WeightCellBuilder(sides, members, nameOf, taskBytes, mostItems);
        for (int part = 0; part < sides.Parts.Length; part++)
        {
            if (sides.Parts[part].IsScales)
                continue;
            List<Holders> holders = builder.HoldersOf(part);
            if (sides.Parts[part].IsConverted)
                builder.AddConverted(part, holders);
            else
                builder.AddDirect(part, holders);
        }

        return [.. builder._cells];
    }

    /// <summary>The ranks that hold the very same part of a row, those present only.</summary>
    private List<Holders> HoldersOf(int part)
    {
        var all = new List<Holders>();
        var known = new Dictionary<(WeightRange, WeightRange, WeightRange, WeightRange, WeightRange), Holders>();
        for (int rank = 0; rank < _members.TrainerRanks; rank++)
        {
            ref readonly WeightSide side = ref _sides.Trainer(part, rank);
            WeightBox box = side.Box;
            var held = new WeightGrid(box.Ranges[0].Count, box.Ranges[1].Count, box.Ranges[2].Count);
            (long first, long end) = side.Window(in box.Flat, held, box.Ranges[0].First, box.Ranges[1].First, box.Ranges[2].First);
            // What pads a tensor is nobody's.
            if (held.Rows == 0 || held.Columns == 0 || held.Run == 0 || first >= end || box.Experts.Count == 0)
                continue;
            var key = (box.Ranges[0], box.Ranges[1], box.Ranges[2], box.Flat, box.Experts);
            if (!known.TryGetValue(key, out Holders? holders))
            {
                holders = new Holders(rank, []);
                known.Add(key, holders);
                all.Add(holders);
            }

            if (_members.HasTrainer(rank))
                holders.Present.Add(rank);
        }

        foreach (Holders holders in all)
        {
            if (holders.Present.Count == 0)
                ThrowAbsent(part, holders.First);
        }

        return all;
    }

    private void AddDirect(int part, List<Holders> all)
    {
        foreach (Holders holders in all)
        {
            WeightSide side = _sides.Trainer(part, holders.First);
            WeightRange held = side.Box.Flat;
            WeightTarget[] targets = TargetsOf(part, -1, in side, held);
            if (targets.Length == 0)
                continue;
            long bytes = held.Count * _sides.Parts[part].InferenceBytes;
            long most = MostBytes(targets, bytes, holders.Present.Count);
            long slices = WeightRange.CeilingDivide(bytes, most);
            if (slices == 1)
            {
                Add(part, -1, in side, held, [.. holders.Present], targets, bytes, most);
                continue;
            }

            // Slices end with a row where there are rows enough, so that no row is written in two pieces.
            long row = side.Box.Ranges[1].Local * side.Box.Ranges[2].Local;
            long length = WeightRange.CeilingDivide(held.Count, slices);
            if (length >= row)
                length -= length % row;
            for (long first = held.First; first < held.End; first += length)
            {
                var window = new WeightRange(first, Math.Min(held.End, first + length), held.Local);
                targets = TargetsOf(part, -1, in side, window);
                if (targets.Length != 0)
                    Add(part, -1, in side, window, [.. holders.Present], targets, window.Count * _sides.Parts[part].InferenceBytes, most);
            }
        }
    }

    private void AddConverted(int part, List<Holders> all)
    {
        WeightPart row = _sides.Parts[part];
        var blocks = new SortedDictionary<(long Expert, long Column, long Block), List<int>>();
        foreach (Holders holders in all)
        {
            WeightBox box = _sides.Trainer(part, holders.First).Box;
            // Whoever holds the first element of a block's first row in a column of blocks converts it; of the ranks that hold
            // some of its rows any may.
            WeightRange columns = box.Ranges[1].BlocksFrom(row.Block, row.Columns);
            if (columns.Count == 0)
                continue;
            // The first and the last row of which there is an element; both in the tensor, because the rank holds some.
            long pitch = box.Ranges[1].Local * box.Ranges[2].Local;
            long first = box.Ranges[0].First + (box.Flat.First / pitch);
            long end = Math.Min(box.Ranges[0].End, box.Ranges[0].First + WeightRange.CeilingDivide(box.Flat.End, pitch));
            for (long block = first / row.Block; block < WeightRange.CeilingDivide(end, row.Block); block++)
            {
                var key = (box.Experts.First, columns.First, block);
                if (!blocks.TryGetValue(key, out List<int>? ranks))
                    blocks.Add(key, ranks = []);
                ranks.AddRange(holders.Present);
            }
        }

        AddBlockRows(part, blocks);
    }

    /// <summary>Joins neighbouring block rows that the same ranks could convert, up to the size of an item.</summary>
    private void AddBlockRows(int part, SortedDictionary<(long Expert, long Column, long Block), List<int>> blocks)
    {
        WeightPart row = _sides.Parts[part];
        int scales = _sides.ScalesOf(part);
        ((long Expert, long Column, long Block) First, int[] Ranks, long Count, long Most)? open = null;
        foreach (((long Expert, long Column, long Block) key, List<int> ranks) in blocks)
        {
            ranks.Sort();
            if (open is { } run && (run.First.Expert, run.First.Column) == (key.Expert, key.Column)
                && key.Block == run.First.Block + run.Count && run.Count < run.Most && ranks.SequenceEqual(run.Ranks))
            {
                open = run with { Count = run.Count + 1 };
                continue;
            }

            Close();
            WeightSide side = BlockSide(part, ranks[0], key.Block, 1);
            long bytes = side.Box.Ranges[0].Count * side.Box.Ranges[1].Count * row.InferenceBytes;
            long most = Math.Max(1, MostBytes(TargetsOf(part, scales, in side, side.Box.Flat), bytes, ranks.Count) / bytes);
            open = (key, [.. ranks], 1, most);
        }

        Close();

        void Close()
        {
            if (open is not { } run)
                return;
            WeightSide side = BlockSide(part, run.Ranks[0], run.First.Block, run.Count);
            WeightTarget[] targets = TargetsOf(part, scales, in side, side.Box.Flat);
            long bytes = side.Box.Ranges[0].Count * side.Box.Ranges[1].Count * row.InferenceBytes;
            if (targets.Length != 0)
                Add(part, scales, in side, side.Box.Flat, run.Ranks, targets, bytes, MostBytes(targets, bytes, run.Ranks.Length));
        }
    }

    /// <summary>A rank's side of a converted row with the box of some block rows.</summary>
    private WeightSide BlockSide(int part, int rank, long block, long count)
    {
        WeightPart row = _sides.Parts[part];
        WeightSide side = _sides.Trainer(part, rank);
        WeightBox box = side.Box;
        box.Ranges[0] = new WeightRange(block * row.Block, Math.Min(row.Rows, (block + count) * row.Block), 0);
        box.Ranges[1] = box.Ranges[1].BlocksFrom(row.Block, row.Columns);
        return side with { Box = box };
    }

    private void Add(int part, int scales, in WeightSide side, WeightRange window, int[] ranks, WeightTarget[] targets, long tensorBytes, long most)
    {
        WeightPart row = _sides.Parts[part];
        WeightRange experts = side.Box.Experts;
        bool small = tensorBytes * experts.Count <= WeightScheduleOptions.LeastTaskBytes;
        int perItem = (int)Math.Clamp(most / tensorBytes, 1, experts.Count);
        int[] bounds = small ? [(int)experts.First, (int)experts.End] : BoundsOf(experts, targets, perItem);
        var cell = new WeightCell
        {
            Part = part,
            Scales = scales,
            Rows = side.Box.Ranges[0],
            Columns = side.Box.Ranges[1],
            Window = window,
            Candidates = ranks,
            Targets = targets,
            Outers = row.Outers,
            // Small tensors of all layers go together while that costs no balance.
            OutersPerItem = small && tensorBytes * experts.Count * row.Outers <= most ? row.Outers : 1,
            ExpertBounds = bounds,
            Receivers = ReceiversOf(bounds, targets),
            FirstItem = _items,
        };
        if ((long)_items + cell.Items > _mostItems)
            ThrowItems();
        _items += cell.Items;
        _cells.Add(cell);
    }

    /// <summary>Expert ranges that end where a receiver's do, so that an item of experts has one receiver and its copies.</summary>
    private static int[] BoundsOf(WeightRange experts, WeightTarget[] targets, int perItem)
    {
        var ends = new SortedSet<int> { (int)experts.First, (int)experts.End };
        foreach (ref readonly WeightTarget target in targets.AsSpan())
        {
            ends.Add(target.FirstExpert);
            ends.Add(target.EndExpert);
        }

        var bounds = new List<int>();
        foreach (int end in ends)
        {
            if (bounds.Count != 0)
            {
                int first = bounds[^1], count = end - first, items = (int)WeightRange.CeilingDivide(count, perItem);
                for (int i = 1; i < items; i++)
                    bounds.Add(first + (int)((long)count * i / items));
            }

            bounds.Add(end);
        }

        return [.. bounds];
    }

    private static WeightTarget[][] ReceiversOf(int[] bounds, WeightTarget[] targets)
    {
        if (bounds.Length == 2)
            return [targets];
        var receivers = new List<WeightTarget>[bounds.Length - 1];
        for (int group = 0; group < receivers.Length; group++)
            receivers[group] = [];
        foreach (WeightTarget target in targets)
        {
            // Targets begin and end at bounds.
            int first = Array.BinarySearch(bounds, target.FirstExpert), end = Array.BinarySearch(bounds, target.EndExpert);
            for (int group = first; group < end; group++)
                receivers[group].Add(target);
        }

        return [.. receivers.Select(group => group.ToArray())];
    }

    /// <summary>Bytes, as they arrive, that an item may have.</summary>
    private long MostBytes(WeightTarget[] targets, long tensorBytes, int candidates)
    {
        if (candidates == 1 || targets.Length == 0)
            return _taskBytes;
        // Receivers of the first expert stand for all: copies of one another, or shards of the row.
        long sent = 0;
        foreach (ref readonly WeightTarget target in targets.AsSpan())
            sent += target.Experts(targets[0].FirstExpert, targets[0].FirstExpert + 1) * target.BytesPerTensor;
        double copies = Math.Max(1, (double)sent / tensorBytes);
        return Math.Clamp((long)(_itemBytes / copies), WeightScheduleOptions.LeastTaskBytes, _taskBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private WeightTarget[] TargetsOf(int part, int scales, in WeightSide source, WeightRange window)
    {
        var targets = new List<WeightTarget>();
        for (int rank = 0; rank < _members.InferenceRanks; rank++)
        {
            if (!_members.HasInference(rank))
                continue;
            ref readonly WeightSide side = ref _sides.Inference(part, rank);
            if (!WeightOverlap.TryCreate(part, in _sides.Parts[part], in source, in side, in window, 0, 1, out WeightOverlap overlap))
                continue;
            long bytes = overlap.BytesPerTensor;
            if (scales >= 0)
            {
                WeightSide blocks = source with { Box = source.Box.InBlocks(_sides.Parts[part].Block) };
                ref readonly WeightSide scaleSide = ref _sides.Inference(scales, rank);
                if (WeightOverlap.TryCreate(scales, in _sides.Parts[scales], in blocks, in scaleSide, in window, 0, 1, out WeightOverlap scaleOverlap))
                    bytes += scaleOverlap.BytesPerTensor;
            }

            targets.Add(new WeightTarget(rank, overlap.FirstExpert, overlap.FirstExpert + overlap.ExpertCount, bytes));
        }

        return [.. targets];
    }

    /// <summary>Bytes that all receivers get, to the accuracy of padding.</summary>
    private long BytesSent()
    {
        long bytes = 0;
        for (int part = 0; part < _sides.Parts.Length; part++)
        {
            for (int rank = 0; rank < _members.InferenceRanks; rank++)
            {
                if (!_members.HasInference(rank))
                    continue;
                WeightBox box = _sides.Inference(part, rank).Box;
                bytes += box.Flat.Count * box.Experts.Count * _sides.Parts[part].Outers * _sides.Parts[part].InferenceBytes;
            }
        }

        return bytes;
    }

    [DoesNotReturn]
    private void ThrowAbsent(int part, int rank) => throw new PlanException(
        $"{_nameOf(_sides.Parts[part].Rule)}: what trainer rank {rank} holds of it no rank of {_members} holds; bring back the rank or one with the same copy.");

    [DoesNotReturn]
    private void ThrowItems() => throw new PlanException(
        $"A schedule of tasks of {_taskBytes} bytes would have more than {_mostItems} items; raise {nameof(WeightScheduleOptions)}.{nameof(WeightScheduleOptions.TaskBytes)}.");

    /// <summary>The first rank of the mesh with some part of a row, and all present ones with the same.</summary>
    private sealed record Holders(int First, List<int> Present);
}
