using System.Diagnostics;
using Garden;
using Garden.Fabric.Loopback;
using Garden.KvCache;

namespace KvStreaming;

/// <summary>One model's run: a prefill engine and a decode engine on one in-process network.</summary>
internal static class StreamingJob
{
    public static async Task<ModelResult> RunAsync<TLayout, TTransfer>(
        string model, int tailBytes, SampleOptions options, IReadOnlyList<PromptRequest> requests, Action<int> progress, CancellationToken cancellationToken)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        if (options.EffectiveLayers > TLayout.Layers)
            throw new UsageException($"{model} has {TLayout.Layers} layers; --layers {options.EffectiveLayers} is more.");
        int largest = requests.Max(request => (request.InputLength + TLayout.TokensPerPage - 1) / TLayout.TokensPerPage);
        var measured = new Measurements(requests.Count);
        var network = new LoopbackNetwork();
        await using TransferEngine prefillEngine = Build(network, "prefill", options);
        await using TransferEngine decodeEngine = Build(network, "decode", options);
        // Room for the largest prompt and the next one's beginning here, for resident prefixes there.
        await using var prefill = new PrefillSide<TLayout, TTransfer>(options, prefillEngine, largest * 5 / 4, tailBytes, measured);
        await using var decode = new DecodeSide<TLayout, TTransfer>(options, decodeEngine, largest * 5 / 2, tailBytes, measured);
        Peer prefiller = await decodeEngine.ConnectAsync(prefillEngine.Address, cancellationToken: cancellationToken);

        long start = Stopwatch.GetTimestamp();
        int served = 0;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task prefilling = prefill.RunAsync();
        Task decoding = decode.RunAsync(prefiller, requests, () => progress(Interlocked.Increment(ref served)), either.Token);
        if (await Task.WhenAny(prefilling, decoding) == prefilling)
        {
            // The model loop only ends by itself when it failed: say why, not that the decoder waited in vain.
            await either.CancelAsync();
            await decoding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await prefilling;
        }

        await decoding;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        return new ModelResult
        {
            Model = model,
            Layers = options.EffectiveLayers,
            LayersOfModel = TLayout.Layers,
            Measured = measured,
            Elapsed = elapsed,
            Writes = prefillEngine.Devices[0].GetStatistics().Sum(static nic => nic.Writes),
            Placements = WritesStudy.Run<TLayout, TTransfer>(options, requests),
            LeakedPages = decode.LeakedPages,
        };
    }

    private static TransferEngine Build(LoopbackNetwork network, string name, SampleOptions options) =>
        TransferEngine.CreateBuilder()
            .UseLoopback(network, new LoopbackOptions { Name = name, Nics = options.Nics, ReorderSeed = options.ReorderSeed })
            .Build();
}
