using System.Diagnostics;
using Garden.Fabric.Loopback;
using Garden.KvCache;

namespace Garden.Perf.Kv;

/// <summary>
/// Layer-wise streaming against sending everything at the end, on a NIC paced so that a layer's transfer takes half a layer's
/// compute. What counts is the time to first token that the transfer adds after the last layer's compute.
/// </summary>
internal static class KvScenario
{
    private const int Tokens = 2048;
    private const int Rounds = 15;
    private static readonly TimeSpan s_compute = TimeSpan.FromMilliseconds(10);

    public static async Task RunAsync(Report report)
    {
        int pages = Tokens / LatentPages.TokensPerPage;
        long layerBytes = pages * LatentPages.BytesPerPage;
        double bandwidth = layerBytes / (s_compute.TotalSeconds / 2);
        double layerTime = layerBytes / bandwidth;
        double tailTime = LatentPages.TailBytes / bandwidth;
        foreach (bool layerWise in new[] { true, false })
        {
            double[] added = await MeasureAsync(pages, bandwidth, layerWise);
            double median = Statistics.Median(added);
            report.Row(
                layerWise ? "kv_layer_wise" : "kv_all_at_end",
                ("layers", LatentPages.Layers),
                ("tokens", Tokens),
                ("layer_compute_us", s_compute.TotalMicroseconds),
                ("layer_transfer_us", layerTime * 1e6),
                ("tail_transfer_us", tailTime * 1e6),
                ("added_ttft_p50_us", median * 1e6),
                ("added_ttft_max_us", added.Max() * 1e6),
                ("added_over_layer_and_tail", median / (layerTime + tailTime)));
        }
    }

    private static async Task<double[]> MeasureAsync(int pages, double bandwidth, bool layerWise)
    {
        var network = new LoopbackNetwork();
        await using TransferEngine prefillEngine = TransferEngine.CreateBuilder()
            .UseLoopback(network, new LoopbackOptions { Name = "prefill", BandwidthBytesPerSecond = bandwidth })
            .Build();
        await using TransferEngine decodeEngine = TransferEngine.CreateBuilder().UseLoopback(network, "decode").Build();
        using var source = new NativeBuffer(LatentPages.PoolBytes(pages));
        using var destination = new NativeBuffer(LatentPages.PoolBytes(pages));
        using var tails = new NativeBuffer(LatentPages.TailBytes);
        await using var prefiller = new KvPrefiller<LatentPages.Transfer>(prefillEngine, new KvPrefillerOptions
        {
            Pool = prefillEngine.Register(source),
            PoolPages = pages,
            MaxTailLength = LatentPages.TailBytes,
        });
        await using var decoder = new KvDecoder<LatentPages.Transfer>(decodeEngine, new KvDecoderOptions
        {
            Pool = decodeEngine.Register(destination),
            PoolPages = pages,
            Tails = decodeEngine.Register(tails),
        });
        Peer peer = await decodeEngine.ConnectAsync(prefillEngine.Address);
        var sourcePages = new KvPagePool([.. Enumerable.Range(0, pages)]);
        var destinationPages = new KvPagePool([.. Enumerable.Range(0, pages)]);
        await decoder.ConnectAsync(peer);

        double[] added = new double[Rounds];
        await using IAsyncEnumerator<KvPrefillJob<LatentPages.Transfer>> jobs = prefiller.ReadJobsAsync().GetAsyncEnumerator();
        for (int round = -2; round < Rounds; round++)
        {
            Task<KvDelivery> request = decoder.RequestAsync(peer, new KvRequest
            {
                Pages = await destinationPages.LeaseAsync(pages, TimeSpan.FromSeconds(5)),
                TokenCount = Tokens,
                TailLength = LatentPages.TailBytes,
            });
            Task<long> arrived = request.ContinueWith(
                static _ => Stopwatch.GetTimestamp(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            await jobs.MoveNextAsync();
            await using KvPrefillJob<LatentPages.Transfer> job = jobs.Current;
            job.UsePages(await sourcePages.LeaseAsync(pages, TimeSpan.FromSeconds(5)));
            long computed = await Task.Factory.StartNew(() => Compute(job, layerWise), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            await job.FinishAsync(new byte[LatentPages.TailBytes]);
            long end = await arrived;
            (await request).Pages.Dispose();
            if (round >= 0)
                added[round] = Stopwatch.GetElapsedTime(computed, end).TotalSeconds;
        }

        return added;
    }

    /// <summary>A stand-in for the model: each layer takes its time on some other chip, this thread only waits for it.</summary>
    private static long Compute(KvPrefillJob<LatentPages.Transfer> job, bool layerWise)
    {
        for (int layer = 0; layer < job.LayerCount; layer++)
        {
            job.Cancelled.WaitHandle.WaitOne(s_compute);
            if (layerWise && layer != job.LayerCount - 1)
                job.LayerDone(layer);
        }

        long computed = Stopwatch.GetTimestamp();
        job.LayerDone(job.LayerCount - 1);
        return computed;
    }
}
