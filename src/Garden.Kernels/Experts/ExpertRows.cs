using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>
/// What a dispatch delivers, in device memory: sized for the worst case, so that no count has to be known before. A caller with
/// little memory lowers the tokens of the group and takes several rounds.
/// </summary>
public sealed class ExpertRows : IDisposable
{
    private ExpertRows(KernelDevice device, ExpertOutput output, ExpertElement element, long rows, long rowBytes, int elementBytes, int scales, int topK, int groups, int experts)
    {
        (Element, RowBytes, ScaleCount, TopK) = (element, rowBytes, scales, topK);
        Output = output;
        Capacity = rows;
        Rows = device.Allocate(rows * rowBytes, elementBytes);
        Scales = scales == 0 ? null : device.Allocate(rows * scales * sizeof(float), sizeof(float));
        bool byRank = output == ExpertOutput.RankRows;
        Weights = device.Allocate(rows * sizeof(float) * (byRank ? topK : 1), sizeof(float));
        Experts = byRank ? device.Allocate(rows * sizeof(int) * topK, sizeof(int)) : null;
        FirstRows = device.Allocate(sizeof(int) * (groups + 1L), sizeof(int));
        ExpertCounts = device.Allocate(Math.Max(1L, experts) * sizeof(int), sizeof(int));
    }

    /// <summary>How the rows lie.</summary>
    public ExpertOutput Output { get; }

    /// <summary>Rows there is room for.</summary>
    public long Capacity { get; }

    /// <summary>[row][HiddenSize] payload.</summary>
    public DeviceBuffer Rows { get; }

    /// <summary>[row][ScaleCount] single-precision scales; null when the routing has none.</summary>
    public DeviceBuffer? Scales { get; }

    /// <summary>Single-precision weights: [row][TopK] for <see cref="ExpertOutput.RankRows"/>, else [row].</summary>
    public DeviceBuffer Weights { get; }

    /// <summary>[row][TopK] local experts, −1 where a choice is elsewhere; <see cref="ExpertOutput.RankRows"/> only.</summary>
    public DeviceBuffer? Experts { get; }

    /// <summary>The first row of each expert and behind them the number of rows, padding included (<see cref="ExpertOutput.ExpertContiguous"/>); of each source (<see cref="ExpertOutput.RankRows"/>); not written for slabs.</summary>
    public DeviceBuffer FirstRows { get; }

    /// <summary>[local expert] rows that each expert received, without padding; not written for <see cref="ExpertOutput.RankRows"/>.</summary>
    public DeviceBuffer ExpertCounts { get; }

    /// <summary>Rows of an output, at most.</summary>
    public static long CapacityOf<TRouting>(in ExpertGroup group, ExpertOutput output)
        where TRouting : unmanaged, IExpertRouting<TRouting> => output switch
        {
            ExpertOutput.RankRows => (long)group.Ranks * group.Tokens,
            ExpertOutput.ExpertContiguous => ExpertBuffers.ContiguousRows<TRouting>(group.Ranks, group.Tokens, group.Padding),
            ExpertOutput.ExpertSlabs => ExpertBuffers.SlabRows<TRouting>(group.Ranks, group.Tokens),
            _ => throw new ArgumentOutOfRangeException(nameof(output), output, "Not an output mode."),
        };

    /// <summary>Allocates for the worst case of a rank.</summary>
    /// <exception cref="CudaException">The device has not enough memory.</exception>
    public static ExpertRows Allocate<TRouting>(ExpertRank<TRouting> rank)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        ArgumentNullException.ThrowIfNull(rank);
        ExpertOutput output = rank.Options.Output;
        int experts = ExpertPlacement.LocalExperts<TRouting>(rank.Group.Ranks, rank.Rank);
        return new ExpertRows(
            rank.Device, output, TRouting.Element, CapacityOf<TRouting>(rank.Group, output), (long)TRouting.HiddenSize * TRouting.ElementBytes, TRouting.ElementBytes,
            TRouting.ScaleCount, TRouting.TopK, output == ExpertOutput.RankRows ? rank.Group.Ranks : experts, experts);
    }

    internal ExpertElement Element { get; }

    /// <summary>Bytes of a row's payload.</summary>
    internal long RowBytes { get; }

    internal int ScaleCount { get; }

    internal int TopK { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Rows.Dispose();
        Scales?.Dispose();
        Weights.Dispose();
        Experts?.Dispose();
        FirstRows.Dispose();
        ExpertCounts.Dispose();
    }
}
