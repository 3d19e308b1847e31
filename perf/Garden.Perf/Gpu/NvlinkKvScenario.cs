using System.Diagnostics;
using System.Globalization;
using Garden.Kernels;
using Garden.KvCache;
using Garden.Samples;

namespace Garden.Perf.Gpu;

/// <summary>DeepSeek-V3's KV cache, streamed layer by layer from inside a captured graph: what comes after the last layer's compute, and what a layer's transfer reaches.</summary>
internal static class NvlinkKvScenario
{
    private const int Layers = 61;
    private const int TailBytes = 14_336;
    private const int Requests = 21;

    /// <summary>The stand-in computes each layer so often that it takes longer than the layer's transfer.</summary>
    private const int ComputeTimes = 12;

    public static async Task RunAsync(GpuBench bench, GpuTable table, KernelDevice receiver)
    {
        foreach (int tokens in new[] { 4096, 32_768 })
        {
            long layer = tokens / DeepSeekV3.TokensPerPage * DeepSeekV3.BytesPerPage;
            double copy = CopySeconds(bench, receiver, layer);
            (double sent, _, _) = await StreamAsync(bench.Device, receiver, tokens, computeTimes: 0);
            double perLayer = layer / copy / 1e9;
            table.Throughput($"KV streaming, {tokens} tokens, {Layers} layers done at once", Layers * layer / sent / 1e9, perLayer, tokens > 4096 ? 0.85 : 0);
            (_, double added, double resumed) = await StreamAsync(bench.Device, receiver, tokens, ComputeTimes);
            double allowed = (copy / 0.85) + 15e-6;
            table.Add(
                $"KV streaming, {tokens} tokens, added after the last layer, p50",
                string.Create(CultureInfo.InvariantCulture, $"{added * 1e6:0.0} us"),
                string.Create(CultureInfo.InvariantCulture, $"layer's copy {copy * 1e6:0.0} us"),
                "",
                string.Create(CultureInfo.InvariantCulture, $"<= {allowed * 1e6:0.0} us{(added > allowed ? " missed" : "")}"));
            table.Add($"  until the request's awaiter runs on a pool thread, p50", string.Create(CultureInfo.InvariantCulture, $"{resumed * 1e6:0.0} us"));
        }
    }

    /// <summary>The driver's copy of a layer's bytes, many in a row by the device's clock.</summary>
    private static double CopySeconds(GpuBench bench, KernelDevice receiver, long bytes)
    {
        const int Copies = 20;
        using DeviceBuffer source = bench.Allocate(bytes * Copies), destination = receiver.Allocate(bytes * Copies);
        bench.Hash(source);
        return bench.Time(() =>
        {
            for (int i = 0; i < Copies; i++)
                bench.Stream.Copy(destination.Address + (nint)(i * bytes), source.Address + (nint)(i * bytes), bytes);
        }) / Copies;
    }

    /// <summary>
    /// Medians: from the first layer's signal to the arrival of everything on the decoder's worker, where decoding could be launched; from the
    /// last layer's signal to there; and from the last layer's to the request's awaiter on a thread of the pool.
    /// </summary>
    private static async Task<(double Sent, double Added, double Resumed)> StreamAsync(KernelDevice sender, KernelDevice receiver, int tokens, int computeTimes)
    {
        int pages = tokens / DeepSeekV3.TokensPerPage, pool = (2 * pages) + 8;
        long first = 0, last = 0, arrived = 0;
        await using TransferEngine prefillEngine = NvlinkPair.Build(sender), decodeEngine = NvlinkPair.Build(receiver);
        await using var prefill = new GpuPrefill<DeepSeekV3, DeepSeekV3.Transfer>(sender, prefillEngine, new GpuPrefillOptions
        {
            Layers = Layers,
            PoolPages = pool,
            PageOrder = Shuffled(pool, 1),
            TailBytes = TailBytes,
            Channel = 40,
            ComputeTimes = computeTimes,
            FirstLayerDone = () => Volatile.Write(ref first, Stopwatch.GetTimestamp()),
            ComputeDone = _ => Volatile.Write(ref last, Stopwatch.GetTimestamp()),
        });
        await using var decode = new GpuDecode<DeepSeekV3, DeepSeekV3.Transfer>(receiver, decodeEngine, Layers, pool, Shuffled(pool, 2), TailBytes, 40);
        Task serving = prefill.RunAsync();
        Peer peer = await decodeEngine.ConnectAsync(prefillEngine.Address, TimeSpan.FromSeconds(30));
        var sent = new List<double>();
        var added = new List<double>();
        var resumed = new List<double>();
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; sent.Count < Requests; i++)
        {
            Task<KvDelivery> asked = decode.RequestAsync(peer, i, tokens, () => Volatile.Write(ref arrived, Stopwatch.GetTimestamp()));
            if (await Task.WhenAny(asked, serving) == serving)
                await serving;
            KvDelivery delivery = await asked;
            long now = Stopwatch.GetTimestamp();
            // What was not computed anew is what an earlier run left, so there is nothing to compare with.
            if (computeTimes != 0 && decode.Check(delivery, 1, i) is { } error)
                throw new InvalidOperationException($"KV streaming: wrong data: {error}");
            delivery.Pages.Dispose();
            // The first requests compile, open, and wait for the optimised code.
            if (Stopwatch.GetElapsedTime(began) < NvlinkScenario.WarmUp)
                continue;
            sent.Add(Stopwatch.GetElapsedTime(Volatile.Read(ref first), Volatile.Read(ref arrived)).TotalSeconds);
            added.Add(Stopwatch.GetElapsedTime(Volatile.Read(ref last), Volatile.Read(ref arrived)).TotalSeconds);
            resumed.Add(Stopwatch.GetElapsedTime(Volatile.Read(ref last), now).TotalSeconds);
        }

        return (Statistics.Median(sent), Statistics.Median(added), Statistics.Median(resumed));
    }

    private static int[] Shuffled(int pages, int seed)
    {
        int[] order = [.. Enumerable.Range(0, pages)];
        new Random(seed).Shuffle(order);
        return order;
    }
}
