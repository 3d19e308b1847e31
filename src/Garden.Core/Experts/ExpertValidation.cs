using System.Diagnostics.CodeAnalysis;

namespace Garden.Experts;

/// <summary>What must hold between a routing and the sizes of a group.</summary>
internal static class ExpertValidation
{
    public static void Require<TRouting>(int ranks, int ranksPerNode, int tokens, int padding)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RequirePositive("ranks", ranks);
        RequirePositive("ranks per node", ranksPerNode);
        RequirePositive("tokens per rank", tokens);
        RequirePositive("expert padding", padding);
        if (TRouting.Experts % ranks != 0 && !TRouting.PadExperts)
            ThrowExperts(TRouting.Experts, ranks);
        RequireSelections(ExpertPlacement.ExpertsPerRank<TRouting>(ranks), tokens);
        // On one node nothing is written by a network.
        if (ranks > ranksPerNode)
        {
            RequireOneWrite("dispatch", ExpertBuffers.LineBytes<TRouting>(ranks), tokens, TRouting.RowBytes);
            RequireOneWrite("combine", 0, tokens, ExpertBuffers.ResultRows<TRouting>(ranks, 1) * TRouting.CombineRowBytes);
        }

        // Rows are counted in 32 bits, and their bytes then fit 64.
        RequireRows("rows of an inverse index", (long)ranks * tokens * TRouting.TopK);
        RequireRows("rows of an expert-contiguous output", ExpertBuffers.ContiguousRows<TRouting>(ranks, tokens, padding));
        RequireRows("rows of expert slabs", ExpertBuffers.SlabRows<TRouting>(ranks, tokens));
    }

    private static void RequirePositive(string what, int value)
    {
        if (value <= 0)
            ThrowNotPositive(what, value);
    }

    private static void RequireOneWrite(string direction, long line, int tokens, long rowBytes)
    {
        long bytes = line + ((long)tokens * rowBytes);
        if (bytes > TransferUnits.MaxBytesPerWrite)
            ThrowWrite(direction, tokens, bytes, (TransferUnits.MaxBytesPerWrite - line) / rowBytes);
    }

    private static void RequireSelections(int experts, int tokens)
    {
        if (experts > ExpertSelection.MaxExperts || tokens > ExpertSelection.MaxTokens)
            ThrowSelections(experts, tokens);
    }

    private static void RequireRows(string what, long rows)
    {
        if (rows > int.MaxValue)
            ThrowRows(what, rows);
    }

    [DoesNotReturn]
    private static void ThrowNotPositive(string what, int value) =>
        throw new PlanException($"The number of {what} is {value}; it must be 1 or more. Give it in [ExpertRouting] or to ExpertGroup.Of.");

    [DoesNotReturn]
    private static void ThrowExperts(int experts, int ranks) =>
        throw new PlanException($"{experts} experts cannot be divided over {ranks} ranks; change the number of ranks, or set PadExperts so that the last ranks hold fewer.");

    [DoesNotReturn]
    private static void ThrowSelections(int experts, int tokens) =>
        throw new PlanException($"{experts} experts a rank and {tokens} tokens a round are more than the {ExpertSelection.MaxExperts} and {ExpertSelection.MaxTokens} a row's choices can name; use more ranks or send fewer tokens a round.");

    [DoesNotReturn]
    private static void ThrowWrite(string direction, int tokens, long bytes, long fits) =>
        throw new PlanException($"The {direction} of {tokens} tokens to one rank takes {bytes} bytes, more than one write of {TransferUnits.MaxPerWrite} units ({TransferUnits.MaxBytesPerWrite} bytes); send at most {fits} tokens a round.");

    [DoesNotReturn]
    private static void ThrowRows(string what, long rows) =>
        throw new PlanException($"The number of {what} is {rows}, more than {int.MaxValue}; send fewer tokens a round, or to fewer ranks.");
}
