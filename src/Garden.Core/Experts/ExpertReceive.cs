using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Garden.Experts;

/// <summary>
/// The receiving side of a dispatch, on the CPU: where each row goes in an output by experts, and the inverse index that the
/// results are gathered with. Nothing here allocates. The order inside an expert is source rank, slot, whoever arrives first.
/// </summary>
public static class ExpertReceive
{
    /// <summary>Reads the line ahead of a source's rows.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="rank">The receiver.</param>
    /// <param name="line">What <see cref="ExpertDispatch.WriteLine"/> wrote.</param>
    /// <param name="counts">[local expert] of the receiver: how many of the rows chose it.</param>
    /// <returns>The header.</returns>
    /// <exception cref="PlanException">A number of the line cannot be; a peer that sends such a line is not of this group.</exception>
    public static ExpertRankHeader ReadLine<TRouting>(in ExpertGroup group, int rank, ReadOnlySpan<byte> line, Span<int> counts)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        ExpertDispatch.RequireRank(group, rank);
        int experts = ExpertPlacement.LocalExperts<TRouting>(group.Ranks, rank);
        ExpertDispatch.RequireLength(nameof(line), line.Length, ExpertBuffers.LineBytes<TRouting>(group.Ranks));
        ExpertDispatch.RequireLength(nameof(counts), counts.Length, experts);
        var header = MemoryMarshal.Read<ExpertRankHeader>(line);
        MemoryMarshal.Cast<byte, int>(line[ExpertRankHeader.SizeInBytes..])[..experts].CopyTo(counts);
        long sum = 0;
        foreach (int count in counts)
        {
            // A row chooses an expert once.
            if ((uint)count > (uint)header.Rows)
                ThrowLine(header, count);
            sum += count;
        }

        int most = ExpertBuffers.CombineRows<TRouting>(group.Ranks, group.Tokens) - header.Rows;
        if ((uint)header.Rows > (uint)group.Tokens || (uint)(header.CombineRow & ~ExpertRankHeader.CombineAreaBit) > (uint)most || sum != header.Selections || sum < header.Rows)
            ThrowLine(header, sum);
        return header;
    }

    /// <summary>Places of an output packed by expert: each expert begins at a multiple of the group's padding.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="rank">The receiver.</param>
    /// <param name="counts">[source][local expert] from every source's line.</param>
    /// <param name="expertRows">[local expert + 1] the first row of each expert, and behind them the number of rows with padding.</param>
    /// <param name="sourceRows">[source][local expert] the first row of each source inside each expert.</param>
    /// <returns>Rows of the output, padding included.</returns>
    /// <exception cref="PlanException">The rank does not exist, a span has the wrong length, or a count is negative or too large.</exception>
    public static int Pack<TRouting>(in ExpertGroup group, int rank, ReadOnlySpan<int> counts, Span<int> expertRows, Span<int> sourceRows)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        ExpertDispatch.RequireRank(group, rank);
        int experts = ExpertPlacement.LocalExperts<TRouting>(group.Ranks, rank);
        ExpertDispatch.RequireLength(nameof(counts), counts.Length, (long)group.Ranks * experts);
        ExpertDispatch.RequireLength(nameof(expertRows), expertRows.Length, experts + 1);
        ExpertDispatch.RequireLength(nameof(sourceRows), sourceRows.Length, counts.Length);
        int next = 0;
        for (int expert = 0; expert < experts; expert++)
        {
            expertRows[expert] = next;
            for (int source = 0; source < group.Ranks; source++)
            {
                int at = (source * experts) + expert;
                if ((uint)counts[at] > (uint)group.Tokens)
                    ThrowCount(source, expert, counts[at], group.Tokens);
                sourceRows[at] = next;
                next += counts[at];
            }

            int over = next % group.Padding;
            next += over == 0 ? 0 : group.Padding - over;
        }

        expertRows[experts] = next;
        return next;
    }

    /// <summary>Places of an output with a slab for each expert and source: nothing to sum, nothing to wait for.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="rank">The receiver.</param>
    /// <param name="sourceRows">[source][local expert] the first row of each source inside each expert.</param>
    /// <exception cref="PlanException">The rank does not exist, or the span has the wrong length.</exception>
    public static void Slabs<TRouting>(in ExpertGroup group, int rank, Span<int> sourceRows)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        ExpertDispatch.RequireRank(group, rank);
        int experts = ExpertPlacement.LocalExperts<TRouting>(group.Ranks, rank);
        ExpertDispatch.RequireLength(nameof(sourceRows), sourceRows.Length, (long)group.Ranks * experts);
        for (int source = 0; source < group.Ranks; source++)
        {
            for (int expert = 0; expert < experts; expert++)
                sourceRows[(source * experts) + expert] = ((expert * group.Ranks) + source) * group.Tokens;
        }
    }

    /// <summary>Gives every choice of one source's rows its row in the output.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="rank">The receiver.</param>
    /// <param name="selections">[slot][TopK] <see cref="ExpertSelection"/>s as they stand in the rows.</param>
    /// <param name="sourceRows">[local expert] the source's part of what <see cref="Pack"/> or <see cref="Slabs"/> gave.</param>
    /// <param name="inverse">[slot][TopK] the output row of each choice, or −1: what the results are gathered with.</param>
    /// <exception cref="PlanException">The rank does not exist, a span has the wrong length, or a local expert does not exist.</exception>
    public static void Place<TRouting>(in ExpertGroup group, int rank, ReadOnlySpan<int> selections, ReadOnlySpan<int> sourceRows, Span<int> inverse)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        ExpertDispatch.RequireRank(group, rank);
        int experts = ExpertPlacement.LocalExperts<TRouting>(group.Ranks, rank);
        ExpertDispatch.RequireTokens<TRouting>(group, selections.Length);
        ExpertDispatch.RequireLength(nameof(sourceRows), sourceRows.Length, experts);
        ExpertDispatch.RequireLength(nameof(inverse), inverse.Length, selections.Length);
        for (int i = 0; i < selections.Length; i++)
        {
            if (selections[i] == ExpertSelection.None)
            {
                inverse[i] = -1;
                continue;
            }

            int expert = ExpertSelection.Expert(selections[i]), ordinal = ExpertSelection.Ordinal(selections[i]);
            if (expert >= experts || (uint)ordinal >= (uint)group.Tokens)
                ThrowSelection(i / TRouting.TopK, expert, ordinal, experts, group.Tokens);
            inverse[i] = sourceRows[expert] + ordinal;
        }
    }

    [DoesNotReturn]
    private static void ThrowLine(ExpertRankHeader header, long count) =>
        throw new PlanException($"A line says {header.Rows} rows from row {header.CombineRow} with {header.Selections} choices, and counts {count}; that cannot be in this group. Check that all ranks have the same routing hash and group.");

    [DoesNotReturn]
    private static void ThrowCount(int source, int expert, int count, int tokens) =>
        throw new PlanException($"Source {source} counts {count} rows for local expert {expert}, outside [0, {tokens}].");

    [DoesNotReturn]
    private static void ThrowSelection(int slot, int expert, int ordinal, int experts, int tokens) =>
        throw new PlanException($"The row at slot {slot} names local expert {expert}, outside [0, {experts}), or place {ordinal} in it, outside [0, {tokens}).");
}
