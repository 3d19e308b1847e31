using System.Diagnostics;
using Garden;
using Garden.KvCache;
using Garden.Samples;

namespace KvStreaming;

/// <summary>
/// <c>--fabric nvlink</c>: the model and its KV pools live on devices, prefill on the first and decode on the second, or both on one.
/// The layers leave from inside a captured graph, and what arrives is checked by a kernel where it arrived.
/// </summary>
internal static class GpuStreaming
{
    /// <summary>Both sides in this process.</summary>
    public static async Task<(ModelResult[] Results, double Ceiling)> RunAsync(SampleOptions options, IReadOnlyList<PromptRequest> requests, CancellationToken cancellationToken)
    {
        using var devices = GpuDevices.Open(options.Device);
        Console.WriteLine(devices.Description);
        double ceiling = devices.MeasureCopy();
        return ([
            await RunAsync<DeepSeekV3, DeepSeekV3.Transfer>(DeepSeekV3.Name, DeepSeekV3.TailBytes, DeepSeekV3.Channel, devices, options, requests, cancellationToken),
            await RunAsync<Llama70B, Llama70B.Transfer>(Llama70B.Name, Llama70B.TailBytes, Llama70B.Channel, devices, options, requests, cancellationToken),
        ], ceiling);
    }

    /// <summary>The prefill side of a model on an engine.</summary>
    public static GpuPrefill<TLayout, TTransfer> Prefill<TLayout, TTransfer>(
        GpuDevices devices, TransferEngine engine, int tailBytes, ushort channel, SampleOptions options, IReadOnlyList<PromptRequest> requests, Action<int>? computeDone = null)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        int pool = PoolPages<TLayout>(options, requests);
        return new GpuPrefill<TLayout, TTransfer>(devices.Prefill, engine, new GpuPrefillOptions
        {
            Layers = options.EffectiveLayers,
            PoolPages = pool,
            PageOrder = PageOrder.Create(pool, options.Placement, options.Seed),
            TailBytes = tailBytes,
            Channel = channel,
            Seed = options.Seed,
            ComputeDone = computeDone,
        });
    }

    /// <summary>The decode side of a model: asks for every request and checks what arrives.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="tailBytes">Bytes of its tail.</param>
    /// <param name="channel">Its message channel.</param>
    /// <param name="devices">The devices of the run.</param>
    /// <param name="engine">The decode engine.</param>
    /// <param name="prefiller">The prefill engine.</param>
    /// <param name="options">The run's options.</param>
    /// <param name="requests">What to ask for.</param>
    /// <param name="measured">Takes the figures.</param>
    /// <param name="serving">Ends when the prefill side of this process has failed.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    public static Task<ModelResult> DecodeAsync<TLayout, TTransfer>(
        string model,
        int tailBytes,
        ushort channel,
        GpuDevices devices,
        TransferEngine engine,
        Peer prefiller,
        SampleOptions options,
        IReadOnlyList<PromptRequest> requests,
        Measurements measured,
        Task serving,
        CancellationToken cancellationToken)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer> =>
        ProgressReport.RunAsync(model, requests.Count, async progress =>
        {
            int pool = PoolPages<TLayout>(options, requests);
            await using var decode = new GpuDecode<TLayout, TTransfer>(
                devices.Decode, engine, options.EffectiveLayers, pool, PageOrder.Create(pool, options.Placement, options.Seed + 1), tailBytes, channel);
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < requests.Count; i++)
            {
                int tokens = GpuDecode<TLayout, TTransfer>.WholeTokens(requests[i].InputLength);
                Task<KvDelivery> asked = decode.RequestAsync(prefiller, i, tokens, cancellationToken: cancellationToken);
                if (await Task.WhenAny(asked, serving) == serving)
                    // The model loop ends by itself only when it has failed: say why.
                    await serving;
                KvDelivery delivery = await asked;
                measured.Delivered(i);
                if (options.Corrupt && i == 0)
                    decode.Corrupt(delivery);
                string? error = decode.Check(delivery, options.Seed, i);
                if (error is not null)
                    measured.Error(error);
                long writes = ((long)delivery.Pages.Count * options.EffectiveLayers * (TLayout.Planes == KvPlanes.Separate ? 2 : 1)) + 1;
                measured.Served(tokens, delivery.Bytes, error is null ? delivery.Bytes : 0, 0, requests[i].Blocks.Length, writes);
                delivery.Pages.Dispose();
                progress(i + 1);
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            if (decode.CheckGuards() is { } touched)
                measured.Error(touched);
            return new ModelResult
            {
                Model = model,
                Layers = options.EffectiveLayers,
                LayersOfModel = TLayout.Layers,
                Measured = measured,
                Elapsed = elapsed,
                Placements = WritesStudy.Run<TLayout, TTransfer>(options, requests),
                LeakedPages = decode.LeakedPages,
            };
        });

    private static async Task<ModelResult> RunAsync<TLayout, TTransfer>(
        string model, int tailBytes, ushort channel, GpuDevices devices, SampleOptions options, IReadOnlyList<PromptRequest> requests, CancellationToken cancellationToken)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        var measured = new Measurements(requests.Count);
        await using TransferEngine prefillEngine = Engines.OnNvlink(devices.Prefill, options), decodeEngine = Engines.OnNvlink(devices.Decode, options);
        await using GpuPrefill<TLayout, TTransfer> prefill = Prefill<TLayout, TTransfer>(devices, prefillEngine, tailBytes, channel, options, requests, measured.ComputeDone);
        Task serving = prefill.RunAsync();
        Peer prefiller = await decodeEngine.ConnectAsync(prefillEngine.Address, cancellationToken: cancellationToken);
        ModelResult result = await DecodeAsync<TLayout, TTransfer>(model, tailBytes, channel, devices, decodeEngine, prefiller, options, requests, measured, serving, cancellationToken);
        return result with { Writes = prefillEngine.Devices[0].GetStatistics().Sum(static nic => nic.Writes) };
    }

    private static int PoolPages<TLayout>(SampleOptions options, IReadOnlyList<PromptRequest> requests)
        where TLayout : unmanaged, IKvPageLayout<TLayout> =>
        PageOrder.WithGuards(2 * StreamingJob.LargestPrompt<TLayout>(options, requests));
}
