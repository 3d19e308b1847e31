using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Garden.Experts;

/// <summary>
/// The sending side of a dispatch, on the CPU: which tokens go to which rank, at which slot, and the lines that tell about them.
/// Nothing here allocates. Kernels follow the same order: tokens ascending, each once for each rank it has a choice on.
/// </summary>
public static class ExpertDispatch
{
    /// <summary>Counts the rows for each rank and the choices of each expert, and gives every choice its slot.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="topK">[token][TopK] chosen experts; −1 where a choice is masked. No token may choose an expert twice.</param>
    /// <param name="rows">[rank] rows to send to each rank.</param>
    /// <param name="selections">[expert] how often each was chosen.</param>
    /// <param name="slots">[token][TopK] the slot on the rank of that choice, the same for all choices on one rank; −1 where masked.</param>
    /// <param name="ordinals">[token][TopK] how many tokens before chose the same expert; −1 where masked.</param>
    /// <returns>Rows to all ranks.</returns>
    /// <exception cref="PlanException">Too many tokens, an expert that does not exist or is chosen twice, or a span of the wrong length.</exception>
    public static int Count<TRouting>(in ExpertGroup group, ReadOnlySpan<int> topK, Span<int> rows, Span<int> selections, Span<int> slots, Span<int> ordinals)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RequireTokens<TRouting>(group, topK.Length);
        RequireLength(nameof(rows), rows.Length, group.Ranks);
        RequireLength(nameof(selections), selections.Length, TRouting.Experts);
        RequireLength(nameof(slots), slots.Length, topK.Length);
        RequireLength(nameof(ordinals), ordinals.Length, topK.Length);
        rows.Clear();
        selections.Clear();
        int total = 0;
        for (int first = 0; first < topK.Length; first += TRouting.TopK)
        {
            ReadOnlySpan<int> chosen = topK.Slice(first, TRouting.TopK);
            for (int k = 0; k < chosen.Length; k++)
            {
                int expert = chosen[k];
                if (expert == -1)
                {
                    slots[first + k] = ordinals[first + k] = -1;
                    continue;
                }

                if ((uint)expert >= (uint)TRouting.Experts)
                    ThrowExpert(first / TRouting.TopK, expert, TRouting.Experts);
                if (chosen[..k].Contains(expert))
                    ThrowTwice(first / TRouting.TopK, expert);
                ordinals[first + k] = selections[expert]++;
                int rank = ExpertPlacement.RankOf<TRouting>(group.Ranks, expert);
                int earlier = EarlierOnRank<TRouting>(group.Ranks, chosen[..k], rank);
                if (earlier >= 0)
                {
                    slots[first + k] = slots[first + earlier];
                    continue;
                }

                slots[first + k] = rows[rank]++;
                total++;
            }
        }

        return total;
    }

    /// <summary>Where the results of each rank begin among the sender's rows of the round: the sum of the rows of all ranks before it.</summary>
    /// <param name="rows">[rank] rows sent to each rank.</param>
    /// <param name="combineRows">[rank] the first row of each.</param>
    /// <returns>All rows.</returns>
    /// <exception cref="PlanException">The spans differ in length.</exception>
    public static int CombineRows(ReadOnlySpan<int> rows, Span<int> combineRows)
    {
        RequireLength(nameof(combineRows), combineRows.Length, rows.Length);
        int next = 0;
        for (int rank = 0; rank < rows.Length; rank++)
        {
            combineRows[rank] = next;
            next += rows[rank];
        }

        return next;
    }

    /// <summary>Writes the line ahead of the rows for one rank: header, then a count for each of its experts, then zeros.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="rank">The receiver.</param>
    /// <param name="epoch">The round.</param>
    /// <param name="rows">What <see cref="Count"/> gave for the receiver.</param>
    /// <param name="combineRow">What <see cref="CombineRows"/> gave for the receiver.</param>
    /// <param name="selections">What <see cref="Count"/> gave, for all experts.</param>
    /// <param name="line"><see cref="ExpertBuffers.LineBytes"/> bytes.</param>
    /// <exception cref="PlanException">The rank does not exist, or a span has the wrong length.</exception>
    public static void WriteLine<TRouting>(
        in ExpertGroup group, int rank, uint epoch, int rows, int combineRow, ReadOnlySpan<int> selections, Span<byte> line)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RequireRank(group, rank);
        RequireLength(nameof(selections), selections.Length, TRouting.Experts);
        RequireLength(nameof(line), line.Length, ExpertBuffers.LineBytes<TRouting>(group.Ranks));
        ReadOnlySpan<int> local = selections.Slice(
            ExpertPlacement.FirstExpert<TRouting>(group.Ranks, rank), ExpertPlacement.LocalExperts<TRouting>(group.Ranks, rank));
        int sum = 0;
        foreach (int count in local)
            sum += count;
        line.Clear();
        MemoryMarshal.Write(line, new ExpertRankHeader { Epoch = epoch, Rows = rows, CombineRow = combineRow, Selections = sum });
        MemoryMarshal.AsBytes(local).CopyTo(line[ExpertRankHeader.SizeInBytes..]);
    }

    /// <summary>Writes what a row tells about its token besides payload and scales: experts of the receiver, and weights.</summary>
    /// <param name="group">The ranks.</param>
    /// <param name="rank">The receiver.</param>
    /// <param name="chosen">[TopK] experts of the token.</param>
    /// <param name="ordinals">[TopK] what <see cref="Count"/> gave for the token.</param>
    /// <param name="weights">[TopK] weights of the token.</param>
    /// <param name="row">The row, RowBytes.</param>
    /// <exception cref="PlanException">The rank does not exist, or a span has the wrong length.</exception>
    public static void WriteSelections<TRouting>(
        in ExpertGroup group, int rank, ReadOnlySpan<int> chosen, ReadOnlySpan<int> ordinals, ReadOnlySpan<float> weights, Span<byte> row)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RequireRank(group, rank);
        RequireLength(nameof(chosen), chosen.Length, TRouting.TopK);
        RequireLength(nameof(ordinals), ordinals.Length, TRouting.TopK);
        RequireLength(nameof(weights), weights.Length, TRouting.TopK);
        RequireLength(nameof(row), row.Length, TRouting.RowBytes);
        int first = ExpertPlacement.FirstExpert<TRouting>(group.Ranks, rank), count = ExpertPlacement.LocalExperts<TRouting>(group.Ranks, rank);
        Span<int> selections = MemoryMarshal.Cast<byte, int>(row.Slice(TRouting.SelectionsOffset, sizeof(int) * TRouting.TopK));
        Span<float> rowWeights = MemoryMarshal.Cast<byte, float>(row.Slice(TRouting.WeightsOffset, sizeof(float) * TRouting.TopK));
        for (int k = 0; k < TRouting.TopK; k++)
        {
            bool here = chosen[k] != -1 && (uint)(chosen[k] - first) < (uint)count;
            selections[k] = here ? ExpertSelection.Pack(chosen[k] - first, ordinals[k]) : ExpertSelection.None;
            rowWeights[k] = here ? weights[k] : 0;
        }
    }

    internal static void RequireRank(in ExpertGroup group, int rank)
    {
        if ((uint)rank >= (uint)group.Ranks)
            ThrowRank(rank, group.Ranks);
    }

    internal static void RequireLength(string name, int length, long needed)
    {
        if (length != needed)
            ThrowLength(name, length, needed);
    }

    internal static void RequireTokens<TRouting>(in ExpertGroup group, int choices)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        if (choices % TRouting.TopK != 0 || choices / TRouting.TopK > group.Tokens)
            ThrowTokens(choices, TRouting.TopK, group.Tokens);
    }

    private static int EarlierOnRank<TRouting>(int ranks, ReadOnlySpan<int> chosen, int rank)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        for (int k = 0; k < chosen.Length; k++)
        {
            if (chosen[k] != -1 && ExpertPlacement.RankOf<TRouting>(ranks, chosen[k]) == rank)
                return k;
        }

        return -1;
    }

    [DoesNotReturn]
    private static void ThrowExpert(int token, int expert, int experts) =>
        throw new PlanException($"Token {token} chooses expert {expert}, outside [0, {experts}); a masked choice is −1.");

    [DoesNotReturn]
    private static void ThrowTwice(int token, int expert) =>
        throw new PlanException($"Token {token} chooses expert {expert} twice; choices of one token differ, or are −1.");

    [DoesNotReturn]
    private static void ThrowTokens(int choices, int topK, int tokens) =>
        throw new PlanException($"{choices} choices are not those of up to {tokens} tokens with {topK} each; send more tokens in several rounds.");

    [DoesNotReturn]
    private static void ThrowRank(int rank, int ranks) => throw new PlanException($"Rank {rank} is outside [0, {ranks}).");

    [DoesNotReturn]
    private static void ThrowLength(string name, int length, long needed) =>
        throw new PlanException($"The span '{name}' has {length} entries; {needed} are needed.");
}
