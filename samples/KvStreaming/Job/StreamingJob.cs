using System.Diagnostics;
using Garden;
using Garden.Fabric.Loopback;
using Garden.KvCache;

namespace KvStreaming;

/// <summary>One model's run.</summary>
internal static class StreamingJob
{
    /// <summary>Both sides in this process, on a network of their own.</summary>
    public static async Task<ModelResult> RunAsync<TLayout, TTransfer>(
        string model, int tailBytes, ushort channel, SampleOptions options, IReadOnlyList<PromptRequest> requests, Action<int> progress, CancellationToken cancellationToken)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        var network = new LoopbackNetwork();
        await using TransferEngine prefillEngine = Engines.OnLoopback(network, "prefill", options);
        await using TransferEngine decodeEngine = Engines.OnLoopback(network, "decode", options);
        await using var prefill = new PrefillSide<TLayout, TTransfer>(options, prefillEngine, requests, tailBytes, channel);
        Peer prefiller = await decodeEngine.ConnectAsync(prefillEngine.Address, cancellationToken: cancellationToken);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task prefilling = prefill.RunAsync();
        Task<ModelResult> decoding = DecodeAsync<TLayout, TTransfer>(model, tailBytes, channel, options, requests, decodeEngine, prefiller, progress, either.Token);
        if (await Task.WhenAny(prefilling, decoding) == prefilling)
        {
            // The model loop only ends by itself when it failed: say why, not that the decoder waited in vain.
            await either.CancelAsync();
            await ((Task)decoding).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await prefilling;
        }

        return await decoding with { Writes = prefillEngine.Devices[0].GetStatistics().Sum(static nic => nic.Writes) };
    }

    /// <summary>The decode side alone; the prefiller is wherever the peer is.</summary>
    public static async Task<ModelResult> DecodeAsync<TLayout, TTransfer>(
        string model,
        int tailBytes,
        ushort channel,
        SampleOptions options,
        IReadOnlyList<PromptRequest> requests,
        TransferEngine engine,
        Peer prefiller,
        Action<int> progress,
        CancellationToken cancellationToken)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        var measured = new Measurements(requests.Count);
        await using var decode = new DecodeSide<TLayout, TTransfer>(options, engine, requests, tailBytes, channel, measured);
        long start = Stopwatch.GetTimestamp();
        int served = 0;
        await decode.RunAsync(prefiller, requests, () => progress(Interlocked.Increment(ref served)), cancellationToken);
        return new ModelResult
        {
            Model = model,
            Layers = options.EffectiveLayers,
            LayersOfModel = TLayout.Layers,
            Measured = measured,
            Elapsed = Stopwatch.GetElapsedTime(start),
            Placements = WritesStudy.Run<TLayout, TTransfer>(options, requests),
            LeakedPages = decode.LeakedPages,
        };
    }

    /// <summary>Pages of the largest prompt.</summary>
    public static int LargestPrompt<TLayout>(SampleOptions options, IReadOnlyList<PromptRequest> requests)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        if (options.EffectiveLayers > TLayout.Layers)
            throw new UsageException($"{typeof(TLayout).Name} has {TLayout.Layers} layers; --layers {options.EffectiveLayers} is more.");
        return requests.Max(request => (request.InputLength + TLayout.TokensPerPage - 1) / TLayout.TokensPerPage);
    }
}
