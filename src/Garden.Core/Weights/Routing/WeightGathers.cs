using System.Runtime.InteropServices;

namespace Garden.Weights;

/// <summary>Where a converted task's elements lie on the trainer's side.</summary>
internal sealed class WeightGathers(WeightPlanSides sides, WeightMembers members, WeightCell[] cells, int rank)
{
    public WeightPiece[] Of(WeightTask task)
    {
        if (!task.IsConverted)
            return [];
        WeightCell cell = cells[task.Cell];
        WeightPart part = sides.Parts[cell.Part].Unconverted();
        WeightSide buffer = BufferOf(sides, cell, in part, rank, task.FirstExpert, task.ExpertCount);
        var all = new List<WeightPiece>();
        WeightPieces pieces = default;
        foreach (List<int> copies in CopiesOf(sides, members, cell.Part, in part, in buffer))
        {
            int holder = HolderFor(rank, copies, task.FirstOuter);
            ref readonly WeightSide source = ref sides.Trainer(cell.Part, holder);
            if (!WeightOverlap.TryCreate(cell.Part, in part, in source, in buffer, source.Box.Flat, 0, 1, out WeightOverlap overlap))
                continue;
            // Offsets in the buffer count from the task's first combination.
            overlap = overlap.Of(task.FirstOuter, task.OuterCount, overlap.FirstExpert, overlap.ExpertCount);
            int count = overlap.WriteInPlace(ref pieces);
            foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
                all.Add(piece with { DestinationOffset = piece.DestinationOffset - (task.FirstOuter * task.ExpertCount * buffer.Stride) });
        }

        return [.. all];
    }

    /// <summary>The ranks that gather from a rank: whose tasks convert elements that they read there. Every rank works out the same.</summary>
    public static int[] RanksThatReadFrom(int rank, WeightPlanSides sides, WeightMembers members, WeightCell[] cells, int[] senders)
    {
        var found = new SortedSet<int>();
        foreach (WeightCell cell in cells)
        {
            if (cell.Scales < 0)
                continue;
            WeightPart part = sides.Parts[cell.Part].Unconverted();
            int first = cell.ExpertBounds[0];
            WeightSide buffer = BufferOf(sides, cell, in part, cell.Candidates[0], first, cell.ExpertBounds[^1] - first);
            if (!Overlap(sides, cell.Part, in part, rank, in buffer))
                continue;
            // Ranks have all of a cell's experts or none, so that all of its items have the same holders.
            List<int>? copies = CopiesOf(sides, members, cell.Part, in part, in buffer).Find(copies => copies.Contains(rank));
            for (int item = 0; copies is not null && item < cell.Items; item++)
            {
                int sender = senders[cell.FirstItem + item];
                if (sender != rank && HolderFor(sender, copies, item / cell.Groups * cell.OutersPerItem) == rank)
                    found.Add(sender);
            }
        }

        return [.. found];
    }

    /// <summary>The gather buffer is a side of its own: the box of elements of some experts as the trainer has them, none converted.</summary>
    private static WeightSide BufferOf(WeightPlanSides sides, WeightCell cell, in WeightPart part, int rank, int firstExpert, int experts)
    {
        WeightBox box = sides.Trainer(cell.Part, rank).Box;
        (box.Ranges[0], box.Ranges[1]) = (Whole(cell.Rows), Whole(cell.Columns));
        long elements = box.Ranges[0].Local * box.Ranges[1].Local * box.Ranges[2].Local;
        (box.Flat, box.Experts) = (new WeightRange(0, elements, elements), new WeightRange(firstExpert, firstExpert + experts, experts));
        return new WeightSide(rank, box, 0, WeightSide.Align(elements * part.TrainerBytes), part.TrainerBytes);
    }

    /// <summary>For every part of the box the present ranks that hold it.</summary>
    private static List<List<int>> CopiesOf(WeightPlanSides sides, WeightMembers members, int index, in WeightPart part, in WeightSide buffer)
    {
        var copies = new Dictionary<(WeightRange, WeightRange, WeightRange, WeightRange, WeightRange), List<int>>();
        for (int holder = 0; holder < members.TrainerRanks; holder++)
        {
            if (!members.HasTrainer(holder) || !Overlap(sides, index, in part, holder, in buffer))
                continue;
            WeightBox box = sides.Trainer(index, holder).Box;
            ref List<int>? same = ref CollectionsMarshal.GetValueRefOrAddDefault(
                copies, (box.Ranges[0], box.Ranges[1], box.Ranges[2], box.Flat, box.Experts), out _);
            (same ??= []).Add(holder);
        }

        return [.. copies.Values];
    }

    private static bool Overlap(WeightPlanSides sides, int index, in WeightPart part, int holder, in WeightSide buffer)
    {
        ref readonly WeightSide side = ref sides.Trainer(index, holder);
        return WeightOverlap.TryCreate(index, in part, in side, in buffer, side.Box.Flat, 0, 1, out _);
    }

    /// <summary>Which of some equal copies a rank reads: its own where it has it, else all in turn.</summary>
    private static int HolderFor(int rank, List<int> copies, int outer) => copies.Contains(rank) ? rank : copies[(rank + outer) % copies.Count];

    private static WeightRange Whole(WeightRange range) => range with { Local = range.Count };
}
