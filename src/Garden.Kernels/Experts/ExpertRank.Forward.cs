using System.Runtime.InteropServices;

namespace Garden.Kernels.Experts;

/// <content>Rows that one rank received and another sends on.</content>
public sealed partial class ExpertRank<TRouting>
{
    /// <summary>
    /// Sends on what the dispatch of another rank delivered by rank (<see cref="ExpertOutput.RankRows"/>): each row to the ranks of the experts that
    /// stand beside it, which are this routing's. So a token crosses the network once for each node: the first rank's group has one rank a node, with
    /// all experts of the node; this one's has the ranks of a node. Its combined rows are the results that the first returns.
    /// </summary>
    /// <param name="stream">Where to put it, behind the other rank's <see cref="DispatchReceive"/>.</param>
    /// <param name="rows">What that filled. As many rows as this group's tokens.</param>
    /// <exception cref="PlanException">The rows are of another mode, number or device.</exception>
    /// <exception cref="InvalidOperationException">A rank is neither connected nor masked.</exception>
    public void Forward(DeviceStream stream, ExpertRows rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Experts is not { } experts || rows.Capacity != Group.Tokens)
            throw new PlanException($"{rows.Capacity} rows of {rows.Output} cannot be sent on by a group of {Group.Tokens} tokens; they are {ExpertOutput.RankRows}, as many as the tokens.");
        if (rows.TopK != TRouting.TopK || rows.Element != TRouting.Element || rows.RowBytes != (long)TRouting.HiddenSize * TRouting.ElementBytes || rows.ScaleCount != TRouting.ScaleCount)
            throw new PlanException($"Rows of {rows.RowBytes} bytes of {rows.Element} with {rows.ScaleCount} scales and {rows.TopK} choices cannot be sent on by a routing with {(long)TRouting.HiddenSize * TRouting.ElementBytes} bytes of {TRouting.Element}, {TRouting.ScaleCount} and {TRouting.TopK}; use routings that differ in their experts alone.");
        RequireConnected();
        _kernels.ForwardCount.Launch(
            stream,
            new LaunchShape(1, 1),
            new ForwardCountArgs
            {
                Rows = Require(rows.FirstRows, rows.FirstRows.Length, "first rows") + (ulong)rows.FirstRows.Length - sizeof(int),
                Tokens = (ulong)_memory.State.Address + (ulong)Marshal.OffsetOf<ExpertRoundState>(nameof(ExpertRoundState.Tokens)),
            });
        DispatchSend(stream, new ExpertTokens(rows.Rows, experts, rows.Weights, rows.Scales));
    }
}
