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
        // The gather buffer is a side of its own: the task's box of elements as the trainer has them, none converted.
        WeightPart part = sides.Parts[cell.Part].Unconverted();
        WeightBox box = sides.Trainer(cell.Part, rank).Box;
        (box.Ranges[0], box.Ranges[1]) = (Whole(cell.Rows), Whole(cell.Columns));
        long elements = box.Ranges[0].Local * box.Ranges[1].Local * box.Ranges[2].Local;
        (box.Flat, box.Experts) = (new WeightRange(0, elements, elements), new WeightRange(task.FirstExpert, task.FirstExpert + task.ExpertCount, task.ExpertCount));
        var buffer = new WeightSide(rank, box, 0, WeightSide.Align(elements * part.TrainerBytes), part.TrainerBytes);
        var all = new List<WeightPiece>();
        WeightPieces pieces = default;
        foreach (int holder in Holders(cell.Part, in part, in buffer, task.FirstOuter))
        {
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

    /// <summary>One present holder of every part of the box: this rank where it has it, else copies in turn.</summary>
    private List<int> Holders(int index, in WeightPart part, in WeightSide buffer, int outer)
    {
        var copies = new Dictionary<(WeightRange, WeightRange, WeightRange, WeightRange, WeightRange), List<int>>();
        for (int holder = 0; holder < members.TrainerRanks; holder++)
        {
            ref readonly WeightSide side = ref sides.Trainer(index, holder);
            if (!members.HasTrainer(holder) || !WeightOverlap.TryCreate(index, in part, in side, in buffer, side.Box.Flat, 0, 1, out _))
                continue;
            WeightBox box = side.Box;
            ref List<int>? same = ref CollectionsMarshal.GetValueRefOrAddDefault(
                copies, (box.Ranges[0], box.Ranges[1], box.Ranges[2], box.Flat, box.Experts), out _);
            (same ??= []).Add(holder);
        }

        return [.. copies.Values.Select(same => same.Contains(rank) ? rank : same[(rank + outer) % same.Count])];
    }

    private static WeightRange Whole(WeightRange range) => range with { Local = range.Count };
}
