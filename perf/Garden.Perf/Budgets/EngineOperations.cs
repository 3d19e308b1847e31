using Garden.Perf.Engine;

namespace Garden.Perf.Budgets;

/// <summary>Submission to completion, counters and watchers, both engines driven by this thread.</summary>
internal sealed class EngineOperations : IDisposable
{
    private const int Pages = 16;
    private const int PageLength = 256;
    private readonly EnginePair _pair;
    private readonly ImmCounter _counter;
    private readonly ProgressWatcher _watcher;
    private readonly PageList _sourceList = ExpandScenario.ScatteredPages(1, Pages);
    private readonly PageList _destinationList = ExpandScenario.ScatteredPages(2, Pages);
    private readonly int[] _sourcePages;
    private readonly int[] _destinationPages;
    private ulong _handled;

    public EngineOperations(EnginePair pair)
    {
        _pair = pair;
        _counter = pair.Receiver.AllocateCounter();
        _watcher = pair.Sender.AllocateProgressWatcher((_, reached) => _handled = reached);
        _sourcePages = _sourceList.Items.ToArray();
        _destinationPages = _destinationList.Items.ToArray();
    }

    public IEnumerable<MeasuredOperation> All =>
    [
        new("submit.single", SubmitSingle),
        new("submit.paged-copied-lists", SubmitPagedCopiedLists),
        new("submit.paged-page-list", SubmitPagedPageList),
        new("counter.poll", PollCounter),
        new("watcher.signal", SignalWatcher),
    ];

    public void Dispose()
    {
        _watcher.Dispose();
        _counter.Dispose(drainConfirmed: true);
        _sourceList.Dispose();
        _destinationList.Dispose();
    }

    private void SubmitSingle(int count)
    {
        for (int i = 0; i < count; i++)
            Complete(_pair.Sender.SubmitSingleWrite(_pair.Source, 0, _pair.Destination, 0, PageLength, _counter.Immediate));
    }

    private void SubmitPagedCopiedLists(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Complete(_pair.Sender.SubmitPagedWrites(
                _pair.Source,
                new PageSpan(_sourcePages, PageLength),
                _pair.Destination,
                new PageSpan(_destinationPages, PageLength),
                PageLength,
                _counter.Immediate));
        }
    }

    private void SubmitPagedPageList(int count)
    {
        var plan = new PagedWrites
        {
            Source = _pair.Source.Handle,
            Destination = _pair.Destination.Handle,
            Immediate = _counter.Immediate,
            Count = Pages,
            PageLength = PageLength,
            SourcePages = _sourceList.Handle,
            DestinationPages = _destinationList.Handle,
            SourceStride = PageLength,
            DestinationStride = PageLength,
        };
        for (int i = 0; i < count; i++)
            Complete(_pair.Sender.Submit(in plan));
    }

    /// <summary>A receiver's turn and a look at its counter, with a write on the way each time so that there is something to count.</summary>
    private void PollCounter(int count)
    {
        for (int i = 0; i < count; i++)
        {
            int turns = 0;
            long seen = _counter.Value;
            Transfer transfer = _pair.Sender.SubmitSingleWrite(_pair.Source, 0, _pair.Destination, 0, PageLength, _counter.Immediate);
            while (_counter.Value == seen)
                _pair.PollBounded(ref turns);
            Complete(transfer);
        }
    }

    private void SignalWatcher(int count)
    {
        for (int i = 0; i < count; i++)
        {
            int turns = 0;
            ulong value = _watcher.Value + 1;
            _watcher.Signal(value);
            while (_handled != value)
                _pair.PollBounded(ref turns);
        }
    }

    private void Complete(Transfer transfer)
    {
        int turns = 0;
        while (!transfer.IsCompleted)
            _pair.PollBounded(ref turns);
        transfer.GetResult();
    }
}
