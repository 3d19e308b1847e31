using BenchmarkDotNet.Attributes;
using Garden.Benchmarks.HandWritten;
using Garden.Benchmarks.Interpreted;
using Garden.KvCache;

namespace Garden.Benchmarks.Expansion;

/// <summary>A generated plan against the hand-written loop for its layout and against layouts interpreted at run time. Times are per write.</summary>
public abstract unsafe class KvExpansion<TPlan, THand> : IDisposable
    where TPlan : unmanaged, IKvTransfer<TPlan>
    where THand : struct, IHandWritten
{
    private readonly WriteDescriptor[] _batch = new WriteDescriptor[ExpansionBatch.Size];
    private PageList _source = null!;
    private PageList _destination = null!;
    private HandWrittenInput _input;
    private InterpretedPlanner _interpreted = null!;
    private DictionaryPlanner _dictionary = null!;
    private TPlan _plan;

    /// <summary>Pages of the sender; pages × layers × runs a page and layer are <see cref="ExpansionBatch.Runs"/>.</summary>
    protected abstract int Pages { get; }

    protected abstract int Layers { get; }

    protected int PoolPages => Pages * 2;

    protected abstract long RunBytes { get; }

    protected abstract RunAxis[] Loops { get; }

    protected abstract StridedLayout From { get; }

    protected abstract StridedLayout To { get; }

    [GlobalSetup]
    public void Setup()
    {
        int tokens = Pages * TPlan.SourceTokensPerPage;
        int[] source = ScatteredPages.Create(1, Pages), destination = ScatteredPages.Create(2, tokens / TPlan.DestinationTokensPerPage);
        (_source, _destination) = (PageList.Create(source), PageList.Create(destination));
        Immediate immediate = Immediate.ForCounter(1, 1);
        _plan = TPlan.Create(new KvTransferArguments
        {
            Immediate = immediate,
            SourcePoolPages = PoolPages,
            DestinationPoolPages = PoolPages,
            TokenCount = tokens,
            LayerCount = Layers,
            SourcePages = _source.Handle,
            DestinationPages = _destination.Handle,
        });
        _input = new HandWrittenInput
        {
            SourcePages = _source.Handle.Items,
            DestinationPages = _destination.Handle.Items,
            Pages = Pages,
            Layers = Layers,
            PoolPages = PoolPages,
            Immediate = immediate,
        };
        _interpreted = new InterpretedPlanner(From, To, Loops, RunBytes, source, destination, immediate);
        _dictionary = new DictionaryPlanner(From, To, Loops, RunBytes, source, destination, immediate);
        Verify();
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _destination.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = ExpansionBatch.Runs)]
    public long HandWrittenLoop()
    {
        Span<WriteDescriptor> batch = _batch;
        int first = 0, second = 0, writes = 0;
        long taken = 0;
        while (writes < ExpansionBatch.Runs)
        {
            int written = THand.Expand(in _input, ref first, ref second, batch);
            taken += ExpansionBatch.Take(batch, written);
            writes += written;
        }

        return taken;
    }

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long Generated()
    {
        Span<WriteDescriptor> batch = _batch;
        PlanCursor cursor = default;
        long taken = 0;
        while (!cursor.IsCompleted)
        {
            int written = TPlan.Expand(in _plan, ref cursor, batch);
            taken += ExpansionBatch.Take(batch, written);
        }

        return taken;
    }

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long InterpretedStrides() => _interpreted.ExpandAll(_batch);

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long DictionaryDriven() => _dictionary.ExpandAll();

    private void Verify()
    {
        int first = 0, second = 0;
        PlanCursor cursor = default;
        _interpreted.Restart();
        (int Writes, ulong Sum) hand = ExpansionVerification.Collect(batch => THand.Expand(in _input, ref first, ref second, batch));
        (int Writes, ulong Sum) generated = ExpansionVerification.Collect(batch => TPlan.Expand(in _plan, ref cursor, batch));
        (int Writes, ulong Sum) interpreted = ExpansionVerification.Collect(batch => _interpreted.Expand(batch));
        WriteDescriptor[] listed = [.. _dictionary.Expand()];
        ExpansionVerification.Require(
            GetType().Name,
            (nameof(HandWrittenLoop), hand.Writes, hand.Sum),
            (nameof(Generated), generated.Writes, generated.Sum),
            (nameof(InterpretedStrides), interpreted.Writes, interpreted.Sum),
            (nameof(DictionaryDriven), listed.Length, ExpansionBatch.Sum(listed)));
    }
}
