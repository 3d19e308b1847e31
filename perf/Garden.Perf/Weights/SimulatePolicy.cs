namespace Garden.Perf.Weights;

/// <summary>What may be chosen without changing what a stage costs.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Barrier">The experts' mesh group begins when all ranks have finished, and sent, the other one.</param>
/// <param name="Overlap">Stages of different layers run at the same time, each one layer at a time; otherwise a rank does one stage after the other and only the NIC goes on by itself.</param>
/// <param name="Balance">Senders by the planner; otherwise parameters and receivers in turn.</param>
/// <param name="Order">Receivers and tasks in the planner's order; otherwise by number.</param>
/// <param name="Gather">Ranks gather whole tensors (full_tensor) before they send; otherwise each sends the block rows it holds a part of.</param>
/// <param name="SharedNic">Experts are gathered over the same NICs as the writes, byte by byte; otherwise a gather takes what was published, NIC or not.</param>
/// <param name="QuantiseFirst">Ranks convert their shards, which are whole rows of blocks, and gather FP8; otherwise they gather BF16 and each converts all of it.</param>
internal sealed record SimulatePolicy(
    string Name, bool Barrier, bool Overlap, bool Balance, bool Order, bool Gather, bool SharedNic = true, bool QuantiseFirst = false)
{
    /// <summary>As TransferEngine does it, as far as is published.</summary>
    public static SimulatePolicy Published { get; } = new("published policy", Barrier: true, Overlap: false, Balance: false, Order: false, Gather: true);

    /// <summary>Garden's pipeline and planner, full_tensor kept.</summary>
    public static SimulatePolicy Garden { get; } = new("and planned order: Garden", Barrier: false, Overlap: true, Balance: true, Order: true, Gather: true);
}
