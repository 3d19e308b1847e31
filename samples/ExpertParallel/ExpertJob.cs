using System.Diagnostics;
using Garden;
using Garden.Experts;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;
using Garden.Kernels;
using Garden.Kernels.Experts;

namespace ExpertParallel;

/// <summary>All ranks in this process, round by round: every token goes to its experts and back, and is compared with the dense model.</summary>
internal static class ExpertJob
{
    public static async Task<JobResult> RunAsync<TRouting>(SampleOptions options, CancellationToken cancellationToken)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        using KernelDevice device = options.CudaDevice is { } ordinal ? KernelDevice.OpenCuda(ordinal) : KernelDevice.OpenCpu(multiprocessors: 2, threadsPerGroup: 4);
        using var kernels = new ExpertKernels<TRouting>(device);
        var group = ExpertGroup.Of<TRouting>(options.Ranks, options.RanksPerNode, options.Tokens, 1);
        bool isNetworked = options.RanksPerNode < options.Ranks;
        var network = new LoopbackNetwork();
        var engines = new List<TransferEngine>();
        var ranks = new List<RankWork<TRouting>>();
        try
        {
            for (int rank = 0; rank < options.Ranks; rank++)
            {
                if (isNetworked)
                    engines.Add(Engine(options.Fabric, network, rank));
                ranks.Add(new RankWork<TRouting>(kernels, group, rank, isNetworked ? engines[rank] : null));
            }

            foreach (RankWork<TRouting> rank in ranks)
                await rank.ConnectAsync(ranks, cancellationToken);
            return Run(options, ranks, cancellationToken);
        }
        finally
        {
            foreach (RankWork<TRouting> rank in ranks)
                await rank.DisposeAsync();
            foreach (TransferEngine engine in engines)
                await engine.DisposeAsync();
        }
    }

    private static JobResult Run<TRouting>(SampleOptions options, List<RankWork<TRouting>> ranks, CancellationToken cancellationToken)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        var random = new Random(options.Seed);
        double worst = 0;
        long rows = 0, choices = 0;
        long started = Stopwatch.GetTimestamp();
        for (uint round = 1; round <= options.Rounds; round++)
        {
            foreach (RankWork<TRouting> rank in ranks)
            {
                // Not every rank has as many tokens.
                rank.Send(random, round == 1 ? options.Tokens : random.Next(options.Tokens + 1), options.Zipf);
                rows += RemoteRows<TRouting>(rank);
                choices += rank.Choices.Count(expert => ExpertPlacement.RankOf<TRouting>(options.Ranks, expert) != rank.Rank.Rank);
            }

            foreach (RankWork<TRouting> rank in ranks)
                rank.RunExperts(round, options.Corrupt && round == options.Rounds && rank.Rank.Rank == 0, cancellationToken);
            foreach (RankWork<TRouting> rank in ranks)
                worst = Math.Max(worst, DenseReference.CosineDifference(rank, rank.Combine(round, rank.Choices.Length / TRouting.TopK, cancellationToken)));
        }

        return new JobResult(worst, TRouting.Element == ExpertElement.Float8E4M3 ? 9e-4 : 1e-5, rows, choices, rows * (TRouting.RowBytes + (long)TRouting.CombineRowBytes), Stopwatch.GetElapsedTime(started));
    }

    /// <summary>Rows that leave their rank: each token once for each other rank it has an expert on.</summary>
    private static long RemoteRows<TRouting>(RankWork<TRouting> rank)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        rank.Choices.Chunk(TRouting.TopK).Sum(token => token.Select(expert => ExpertPlacement.RankOf<TRouting>(rank.Rank.Group.Ranks, expert)).Distinct().Count(to => to != rank.Rank.Rank));

    private static TransferEngine Engine(FabricName fabric, LoopbackNetwork network, int rank)
    {
        TransferEngineBuilder builder = TransferEngine.CreateBuilder().Configure(static options => options.WaitStrategy = WaitStrategy.Economic);
        return (fabric == FabricName.Tcp ? builder.UseTcp("127.0.0.1") : builder.UseLoopback(network, $"rank{rank}")).Build();
    }
}

/// <summary>What a run found.</summary>
/// <param name="CosineDifference">The largest of any rank and round, to the dense model in double precision.</param>
/// <param name="Allowed">The most that is right for the element type.</param>
/// <param name="RemoteRows">Rows that left their rank.</param>
/// <param name="RemoteChoices">Choices of experts on other ranks: rows that would have left if each choice crossed by itself.</param>
/// <param name="RemoteBytes">Bytes of those rows, there and back.</param>
/// <param name="Elapsed">With experts and verification on the host.</param>
internal sealed record JobResult(double CosineDifference, double Allowed, long RemoteRows, long RemoteChoices, long RemoteBytes, TimeSpan Elapsed)
{
    public bool IsRight => CosineDifference <= Allowed;
}
