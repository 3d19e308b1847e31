using BenchmarkDotNet.Attributes;
using Garden.Benchmarks.HandWritten;
using Garden.Benchmarks.Interpreted;

namespace Garden.Benchmarks.Expansion;

/// <summary>The built-in paged plan, whose sizes are known at run time only, directly and through the worker's indirect call. Times are per write.</summary>
public unsafe class PagedExpansion : IDisposable
{
    private readonly WriteDescriptor[] _batch = GC.AllocateArray<WriteDescriptor>(ExpansionBatch.Size, pinned: true);
    private readonly PageList _source = PageList.Create(ScatteredPages.Create(1, ExpansionBatch.Runs));
    private readonly PageList _destination = PageList.Create(ScatteredPages.Create(2, ExpansionBatch.Runs));
    private readonly long _stride = 4096;
    private InterpretedPlanner _interpreted = null!;
    private DictionaryPlanner _dictionary = null!;
    private HandWrittenInput _input;
    private PagedWrites _plan;

    [GlobalSetup]
    public void Setup()
    {
        _input = new HandWrittenInput
        {
            SourcePages = _source.Handle.Items,
            DestinationPages = _destination.Handle.Items,
            Pages = ExpansionBatch.Runs,
            Layers = 1,
            PoolPages = ExpansionBatch.Runs * 2,
            Immediate = Immediate.ForCounter(1, 1),
        };
        _plan = new PagedWrites
        {
            Immediate = _input.Immediate,
            Count = ExpansionBatch.Runs,
            PageLength = _stride,
            SourcePages = _source.Handle,
            DestinationPages = _destination.Handle,
            SourceStride = _stride,
            DestinationStride = _stride,
        };
        StridedLayout pages = StridedLayout.OfPages(_stride);
        RunAxis[] loops = [new(StridedLayout.Token, ExpansionBatch.Runs)];
        int[] source = _source.Items.ToArray(), destination = _destination.Items.ToArray();
        _interpreted = new InterpretedPlanner(pages, pages, loops, _stride, source, destination, _input.Immediate);
        _dictionary = new DictionaryPlanner(pages, pages, loops, _stride, source, destination, _input.Immediate);
        int page = 0;
        PlanCursor cursor = default;
        (int Writes, ulong Sum) hand = ExpansionVerification.Collect(batch => PageLoop.Run(in _input, 0, 0, _stride, _stride, 1, ref page, batch));
        (int Writes, ulong Sum) plan = ExpansionVerification.Collect(batch => Garden.PagedWrites.Expand(in _plan, ref cursor, batch));
        _interpreted.Restart();
        (int Writes, ulong Sum) interpreted = ExpansionVerification.Collect(batch => _interpreted.Expand(batch));
        WriteDescriptor[] listed = [.. _dictionary.Expand()];
        ExpansionVerification.Require(
            nameof(PagedExpansion),
            (nameof(HandWrittenLoop), hand.Writes, hand.Sum),
            (nameof(PagedWrites), plan.Writes, plan.Sum),
            (nameof(InterpretedStrides), interpreted.Writes, interpreted.Sum),
            (nameof(DictionaryDriven), listed.Length, ExpansionBatch.Sum(listed)));
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
        int page = 0;
        long taken = 0;
        while (page < ExpansionBatch.Runs)
            taken += ExpansionBatch.Take(batch, PageLoop.Run(in _input, 0, 0, _stride, _stride, 1, ref page, batch));
        return taken;
    }

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long PagedWrites()
    {
        Span<WriteDescriptor> batch = _batch;
        PlanCursor cursor = default;
        long taken = 0;
        while (!cursor.IsCompleted)
            taken += ExpansionBatch.Take(batch, Garden.PagedWrites.Expand(in _plan, ref cursor, batch));
        return taken;
    }

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long PagedWritesAsTheWorkerCalls()
    {
        PlanOperations* operations = PlanOperations.Of<PagedWrites>.Instance;
        PagedWrites plan = _plan;
        PlanCursor cursor = default;
        long taken = 0;
        // Safe: the array is pinned and holds the capacity that is passed.
        var batch = (WriteDescriptor*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _batch[0]);
        while (!cursor.IsCompleted)
            taken += ExpansionBatch.Take(_batch, operations->Expand(&plan, &cursor, batch, ExpansionBatch.Size));
        return taken;
    }

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long InterpretedStrides() => _interpreted.ExpandAll(_batch);

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long DictionaryDriven() => _dictionary.ExpandAll();
}
