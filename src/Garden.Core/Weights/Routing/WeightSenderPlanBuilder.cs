using System.Runtime.InteropServices;

namespace Garden.Weights;

/// <summary>Works out the tasks, sends and pieces of one sender from its items.</summary>
internal sealed class WeightSenderPlanBuilder(WeightPlanSides sides, WeightMembers members, WeightCell[] cells, int rank, int ranks)
{
    private readonly Dictionary<(int Cell, int Receiver), WeightOverlap[]> _overlaps = [];
    private readonly List<WeightTask> _tasks = [];
    private readonly List<WeightSend> _sends = [];
    private readonly List<WeightAssembly> _assemblies = [];
    private readonly List<WeightPiece> _pieces = [];
    private readonly HashSet<int> _peers = [];
    private WeightTotals _totals;
    private long _staging;

    public WeightSenderPlan Build(ReadOnlySpan<int> items)
    {
        foreach (int item in items)
            AddTask(WeightItem.Find(cells, item));

        var gathers = new WeightGathers(sides, members, cells, rank);
        return new WeightSenderPlan(
            rank, [.. _tasks], [.. _sends], [.. _assemblies], CollectionsMarshal.AsSpan(_pieces),
            _totals with { Peers = _peers.Count }, gathers.Of);
    }

    private void AddTask(WeightItem item)
    {
        (int index, int turn, int group) = item;
        WeightCell cell = cells[index];
        (int firstSend, int firstAssembly) = (_sends.Count, _assemblies.Count);
        _staging = 0;
        (int first, int end) = (cell.ExpertBounds[group], cell.ExpertBounds[group + 1]);
        ReadOnlySpan<WeightTarget> receivers = cell.Receivers[group];
        int start = cell.FirstReceiver(group, rank, ranks);
        long bytes = 0;
        for (int i = 0; i < receivers.Length; i++)
        {
            WeightTarget target = receivers[(start + i) % receivers.Length];
            bytes += AddSend(
                OverlapsOf(index, target.Rank), target.Rank, turn * cell.OutersPerItem, cell.OutersPerItem, Math.Max(first, target.FirstExpert), target.Experts(first, end),
                firstAssembly);
        }

        _tasks.Add(new WeightTask(
            cell.Part, turn * cell.OutersPerItem, cell.OutersPerItem, first, end - first, cell.Rows, cell.Columns, cell.Scales >= 0, _staging, bytes)
        {
            FirstSend = firstSend,
            SendCount = _sends.Count - firstSend,
            FirstAssembly = firstAssembly,
            AssemblyCount = _assemblies.Count - firstAssembly,
            Cell = index,
        });
    }

    private WeightOverlap[] OverlapsOf(int cell, int receiver)
    {
        if (!_overlaps.TryGetValue((cell, receiver), out WeightOverlap[]? overlaps))
            _overlaps.Add((cell, receiver), overlaps = WeightCellOverlaps.Of(sides, cells[cell], rank, receiver));
        return overlaps;
    }

    private long AddSend(WeightOverlap[] overlaps, int receiver, int firstOuter, int outers, int firstExpert, int experts, int firstAssembly)
    {
        int firstPiece = _pieces.Count;
        (long bytes, long units) = (0, 0);
        WeightPieces pieces = default;
        foreach (ref readonly WeightOverlap whole in overlaps.AsSpan())
        {
            WeightOverlap overlap = whole.Of(firstOuter, outers, firstExpert, experts);
            int count = overlap.Write(StagingOf(in overlap, firstAssembly), ref pieces);
            foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
            {
                _pieces.Add(piece);
                _totals = _totals.Plus(in piece);
                (bytes, units) = (bytes + piece.Bytes, units + piece.Units);
            }
        }

        _peers.Add(receiver);
        _sends.Add(new WeightSend(receiver, firstPiece, _pieces.Count - firstPiece, bytes, units));
        return bytes;
    }

    private long StagingOf(in WeightOverlap overlap, int firstAssembly)
    {
        if (overlap.Stage == WeightStage.Direct)
            return 0;
        for (int i = firstAssembly; i < _assemblies.Count; i++)
        {
            if (_assemblies[i].Overlap.StagesLike(in overlap))
                return _assemblies[i].StagingOffset;
        }

        long offset = _staging;
        _assemblies.Add(new WeightAssembly(overlap, offset));
        _staging += overlap.StagingBytes;
        return offset;
    }
}
