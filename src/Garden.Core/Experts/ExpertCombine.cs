using System.Diagnostics.CodeAnalysis;

namespace Garden.Experts;

/// <summary>The owner's side of a combine, on the CPU: which of the rows that come back belong to a token. Nothing here allocates.</summary>
public static class ExpertCombine
{
    /// <summary>Lists for every token the rows to add, in ascending order of their ranks.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="topK">[token][TopK] chosen experts, as they were dispatched.</param>
    /// <param name="slots">[token][TopK] what <see cref="ExpertDispatch.Count"/> gave.</param>
    /// <param name="combineRows">[rank] what <see cref="ExpertDispatch.CombineRows"/> gave.</param>
    /// <param name="sources">[token][TopK] rows of the combine region, each once, −1 behind the last.</param>
    /// <exception cref="PlanException">A span has the wrong length, or the routing has ExactCombine.</exception>
    public static void Sources<TRouting>(
        in ExpertGroup group, ReadOnlySpan<int> topK, ReadOnlySpan<int> slots, ReadOnlySpan<int> combineRows, Span<int> sources)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RequireCombine<TRouting>(isExact: false);
        ExpertDispatch.RequireTokens<TRouting>(group, topK.Length);
        ExpertDispatch.RequireLength(nameof(slots), slots.Length, topK.Length);
        ExpertDispatch.RequireLength(nameof(combineRows), combineRows.Length, group.Ranks);
        ExpertDispatch.RequireLength(nameof(sources), sources.Length, topK.Length);
        for (int first = 0; first < topK.Length; first += TRouting.TopK)
        {
            Span<int> rows = sources.Slice(first, TRouting.TopK);
            int count = 0;
            for (int k = 0; k < TRouting.TopK; k++)
            {
                if (topK[first + k] == -1)
                    continue;
                int row = combineRows[ExpertPlacement.RankOf<TRouting>(group.Ranks, topK[first + k])] + slots[first + k];

                // Rows of a later rank have higher numbers, so sorting rows sorts ranks; top-k is short.
                int at = count;
                while (at > 0 && rows[at - 1] > row)
                    at--;
                if (at > 0 && rows[at - 1] == row)
                    continue;
                rows[at..count].CopyTo(rows[(at + 1)..]);
                rows[at] = row;
                count++;
            }

            rows[count..].Fill(-1);
        }
    }

    /// <summary>Lists for every choice the row that comes back for it, when each expert's result does: by expert, then by token.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="topK">[token][TopK] chosen experts, as they were dispatched.</param>
    /// <param name="ordinals">[token][TopK] what <see cref="ExpertDispatch.Count"/> gave.</param>
    /// <param name="firstRows">[expert] what <see cref="ExpertDispatch.CombineRows"/> gave for the choices of all experts; a rank's line names that of its first expert.</param>
    /// <param name="sources">[token][TopK] rows of the combine region, −1 where a choice is masked.</param>
    /// <exception cref="PlanException">A span has the wrong length, or the routing has no ExactCombine.</exception>
    public static void ExactSources<TRouting>(
        in ExpertGroup group, ReadOnlySpan<int> topK, ReadOnlySpan<int> ordinals, ReadOnlySpan<int> firstRows, Span<int> sources)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RequireCombine<TRouting>(isExact: true);
        ExpertDispatch.RequireTokens<TRouting>(group, topK.Length);
        ExpertDispatch.RequireLength(nameof(ordinals), ordinals.Length, topK.Length);
        ExpertDispatch.RequireLength(nameof(firstRows), firstRows.Length, TRouting.Experts);
        ExpertDispatch.RequireLength(nameof(sources), sources.Length, topK.Length);
        for (int i = 0; i < topK.Length; i++)
            sources[i] = topK[i] == -1 ? -1 : firstRows[topK[i]] + ordinals[i];
    }

    private static void RequireCombine<TRouting>(bool isExact)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        if (TRouting.ExactCombine != isExact)
            ThrowCombine(typeof(TRouting).Name, isExact);
    }

    [DoesNotReturn]
    private static void ThrowCombine(string routing, bool isExact) =>
        throw new PlanException($"{routing} has {(isExact ? "no " : "")}ExactCombine; use {(isExact ? nameof(Sources) : nameof(ExactSources))}.");
}
