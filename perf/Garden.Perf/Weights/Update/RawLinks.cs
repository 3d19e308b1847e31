using Garden.Interop.Libfabric;
using Garden.Perf.Fabric;

namespace Garden.Perf.Weights.Update;

/// <summary>The ceiling: the same bytes between the same processes, in a loop over the bare provider, an endpoint a pair.</summary>
internal sealed class RawLinks : IDisposable
{
    private readonly LibfabricEnd[] _ends;
    private readonly List<IAsyncDisposable> _published = [];

    private RawLinks(LibfabricEnd[] ends) => _ends = ends;

    /// <summary>Opens an endpoint for each rank of the other side and connects it.</summary>
    public static async Task<RawLinks> OpenAsync(UpdatePlan plan, bool isTrainer, int rank, NativeBuffer memory)
    {
        int others = isTrainer ? UpdatePlan.Receivers : UpdatePlan.Trainers;
        var links = new RawLinks([.. Enumerable.Range(0, others).Select(_ => new LibfabricEnd(
            new TcpFabric(TcpOptions.At("127.0.0.1") with { QueueDepth = 1024 }), memory, (int)(UpdatePlan.RawBytesUnderWay / UpdateScenario.RawWrites.Min())))]);
        for (int other = 0; other < others; other++)
            links._published.Add(await plan.PublishAsync(Name(isTrainer, rank, other), $"{links._ends[other].Address}"));
        for (int other = 0; other < others; other++)
            links._ends[other].Connect(RawAddress.Parse(await plan.FindAsync(Name(!isTrainer, other, rank))));
        return links;
    }

    /// <summary>Trainer: writes the half of its memory that each inference rank gets to the same place there.</summary>
    public void Send(long bytes, long write, int rank)
    {
        long part = bytes / _ends.Length, depth = UpdatePlan.RawBytesUnderWay / write;
        long[] posted = new long[_ends.Length], ended = [.. _ends.Select(static end => end.Ended)];
        long[] total = [.. ended.Select(count => count + (part / write))];
        var wait = new SpinWait();
        while (_ends.Where((end, i) => end.Ended < total[i]).Any())
        {
            bool worked = false;
            for (int i = 0; i < _ends.Length; i++)
            {
                LibfabricEnd end = _ends[i];
                while (posted[i] < part / write && posted[i] - (end.Ended - ended[i]) < depth
                    && end.TryPost((i * part) + (posted[i] * write), (rank * part) + (posted[i] * write), write, more: false))
                {
                    posted[i]++;
                    worked = true;
                }

                long before = end.Ended;
                end.Poll();
                worked |= end.Ended != before;
            }

            Idle(ref wait, worked);
        }
    }

    /// <summary>Inference: waits until every write has arrived.</summary>
    public void Receive(long bytes, long write)
    {
        long[] total = [.. _ends.Select(end => end.Arrived + (bytes / _ends.Length / write))];
        var wait = new SpinWait();
        while (_ends.Where((end, i) => end.Arrived < total[i]).Any())
        {
            bool worked = false;
            foreach (LibfabricEnd end in _ends)
            {
                long before = end.Arrived;
                end.Poll();
                worked |= end.Arrived != before;
            }

            Idle(ref wait, worked);
        }
    }

    public void Dispose()
    {
        foreach (IAsyncDisposable published in _published)
            published.DisposeAsync().AsTask().GetAwaiter().GetResult();
        foreach (LibfabricEnd end in _ends)
            end.Dispose();
    }

    /// <summary>Four processes share the machine: one with nothing to do gives way, and does not sleep.</summary>
    private static void Idle(ref SpinWait wait, bool worked)
    {
        if (worked)
            wait.Reset();
        else
            wait.SpinOnce(sleep1Threshold: -1);
    }

    private static string Name(bool isTrainer, int rank, int other) => $"raw-{(isTrainer ? "trainer" : "inference")}{rank}-to{other}";
}
