using BenchmarkDotNet.Attributes;
using Garden.Benchmarks.Expansion;
using Garden.Weights;

namespace Garden.Benchmarks.Weights;

/// <summary>The plan of a generated map's route against the hand-written loop and against a planner over dictionaries. Times are per write.</summary>
public abstract class WeightExpansion<TMap, THand> : IDisposable
    where TMap : unmanaged, IWeightShardMap<TMap>
    where THand : struct, IWeightLoop
{
    private readonly WriteDescriptor[] _batch = new WriteDescriptor[ExpansionBatch.Size];
    private readonly Immediate _immediate = Immediate.ForCounter(1, 1);
    private WeightMeshes<TMap> _meshes;
    private WeightRoute _route = null!;
    private WeightDictionaryPlanner _dictionary = null!;
    private WeightWrites _plan;

    protected abstract int SourceRank { get; }

    protected abstract int DestinationRank { get; }

    protected abstract WeightDictionaryPlanner CreateDictionaryPlanner(Immediate immediate);

    [GlobalSetup]
    public void Setup()
    {
        _meshes = WeightMeshes<TMap>.Create();
        _route = _meshes.Route(SourceRank, DestinationRank);
        _plan = new WeightWrites { Immediate = _immediate, Route = _route.Handle, Count = _route.Handle.Count };
        _dictionary = CreateDictionaryPlanner(_immediate);
        int first = 0, second = 0;
        PlanCursor cursor = default;
        (int Writes, ulong Sum) hand = ExpansionVerification.Collect(batch => THand.Expand(_immediate, ref first, ref second, batch));
        (int Writes, ulong Sum) generated = ExpansionVerification.Collect(batch => WeightWrites.Expand(in _plan, ref cursor, batch));
        WriteDescriptor[] listed = [.. _dictionary.Expand()];
        ExpansionVerification.Require(
            GetType().Name,
            (nameof(HandWrittenLoop), hand.Writes, hand.Sum),
            (nameof(Generated), generated.Writes, generated.Sum),
            (nameof(DictionaryDriven), listed.Length, ExpansionBatch.Sum(listed)));
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _route.Dispose();
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
            int written = THand.Expand(_immediate, ref first, ref second, batch);
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
            int written = WeightWrites.Expand(in _plan, ref cursor, batch);
            taken += ExpansionBatch.Take(batch, written);
        }

        return taken;
    }

    /// <summary>From the tables on, nothing prepared: all that the rank sends to all its peers, as the enumerator finds it.</summary>
    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long Enumerated()
    {
        long taken = 0;
        foreach (WeightRun run in _meshes.Sends(SourceRank))
            taken += run.DestinationOffset;
        return taken;
    }

    [Benchmark(OperationsPerInvoke = ExpansionBatch.Runs)]
    public long DictionaryDriven() => _dictionary.ExpandAll();
}
