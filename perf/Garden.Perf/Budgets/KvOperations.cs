using Garden.KvCache;
using Garden.Perf.Engine;

namespace Garden.Perf.Budgets;

/// <summary>DeepSeek-V3's latent cache with small pages, as the budgets' example of a generated layout.</summary>
[KvPageLayout(Layers = 61, LatentSize = 576, TokensPerPage = 16)]
internal partial struct BudgetLayout;

/// <summary>Expansion of built-in and generated plans through the worker's indirect call, and the host copies of a generated layout.</summary>
internal sealed unsafe class KvOperations : IDisposable
{
    private const int Pages = 8;
    private const int BatchSize = 64;
    private const int Tokens = Pages * BudgetLayout.TokensPerPage;
    private readonly PageList _pages = ExpandScenario.ScatteredPages(1, Pages);
    private readonly int[] _indices;
    private readonly byte[] _pool = new byte[BudgetLayout.PoolBytes(Pages)];
    private readonly byte[] _tokens = new byte[Tokens * BudgetLayout.BytesPerToken];

    public KvOperations() => _indices = _pages.Items.ToArray();

    public IEnumerable<MeasuredOperation> All =>
    [
        new("expand.paged", ExpandPaged),
        new("expand.kv-plan", ExpandKvPlan),
        new("kv.gather", Gather),
        new("kv.scatter", Scatter),
    ];

    public void Dispose() => _pages.Dispose();

    /// <summary>Expands a plan so many times, through the call by which a worker does it.</summary>
    public static void Expand<TPlan>(TPlan plan, int count)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        PlanOperations* operations = PlanOperations.Of<TPlan>.Instance;
        // Safe: the batch has room for the capacity that is passed.
        WriteDescriptor* batch = stackalloc WriteDescriptor[BatchSize];
        for (int i = 0; i < count; i++)
        {
            PlanCursor cursor = default;
            while (!cursor.IsCompleted)
                operations->Expand(&plan, &cursor, batch, BatchSize);
        }
    }

    private void ExpandPaged(int count) => Expand(
        new PagedWrites
        {
            Immediate = Immediate.ForCounter(1, 1),
            Count = Pages,
            PageLength = 4096,
            SourcePages = _pages.Handle,
            DestinationPages = _pages.Handle,
            SourceStride = 4096,
            DestinationStride = 4096,
        },
        count);

    private void ExpandKvPlan(int count) => Expand(
        BudgetLayout.Transfer.Create(new KvTransferArguments
        {
            Immediate = Immediate.ForCounter(1, 1),
            SourcePoolPages = Pages,
            DestinationPoolPages = Pages,
            TokenCount = Tokens,
            LayerCount = BudgetLayout.Layers,
            SourcePages = _pages.Handle,
            DestinationPages = _pages.Handle,
        }),
        count);

    private void Gather(int count)
    {
        for (int i = 0; i < count; i++)
            BudgetLayout.Gather(_pool, Pages, i % BudgetLayout.Layers, _indices, BudgetLayout.TokensPerPage, _tokens);
    }

    private void Scatter(int count)
    {
        for (int i = 0; i < count; i++)
            BudgetLayout.Scatter(_tokens, _pool, Pages, i % BudgetLayout.Layers, _indices, BudgetLayout.TokensPerPage);
    }
}
