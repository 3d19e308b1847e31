using Garden;
using Garden.KvCache;
using Garden.Samples;

namespace KvStreaming;

/// <summary>
/// <c>--fabric nvlink --two-processes</c>, or <c>--role</c>: the two sides in processes of their own, on two GPUs or on one. The fabric's
/// handshake hands the memory's IPC handles over; the kernel of one process writes into the other's pool.
/// </summary>
internal static class GpuProcesses
{
    private static readonly TimeSpan s_findDeadline = TimeSpan.FromSeconds(60);

    /// <summary>The decode side, and a prefill process beside it where nobody else starts one.</summary>
    public static async Task<(ModelResult[] Results, double Ceiling)> DecodeAsync(SampleOptions options, IReadOnlyList<PromptRequest> requests, CancellationToken cancellationToken)
    {
        string place = options.Peer ?? $"file:{Path.Combine(Path.GetTempPath(), $"kv-streaming-{Environment.ProcessId}")}";
        using PrefillChild? child = options.Role == Role.Both ? PrefillChild.Start(place) : null;
        using var devices = GpuDevices.Open(options.Device);
        Console.WriteLine($"in two processes: {devices.Description}");
        double ceiling = devices.MeasureCopy();
        await using TransferEngine engine = Engines.OnNvlink(devices.Decode, options);
        string address = place.Contains("://", StringComparison.Ordinal) ? place : await Rendezvous.FindAsync(place, s_findDeadline, cancellationToken);
        Peer prefiller = await engine.ConnectAsync(NetAddress.Parse(address), TimeSpan.FromSeconds(20), cancellationToken: cancellationToken);
        // Another process's failure shows as its peer's.
        var never = new TaskCompletionSource();
        ModelResult[] results =
        [
            await GpuStreaming.DecodeAsync<DeepSeekV3, DeepSeekV3.Transfer>(
                DeepSeekV3.Name, DeepSeekV3.TailBytes, DeepSeekV3.Channel, devices, engine, prefiller, options, requests, new Measurements(requests.Count), never.Task, cancellationToken),
            await GpuStreaming.DecodeAsync<Llama70B, Llama70B.Transfer>(
                Llama70B.Name, Llama70B.TailBytes, Llama70B.Channel, devices, engine, prefiller, options, requests, new Measurements(requests.Count), never.Task, cancellationToken),
        ];
        await prefiller.CloseAsync();
        if (child is not null)
            await child.EndAsync();
        return (results, ceiling);
    }

    /// <summary>The prefill side: serves both models on one engine, until its decoder has gone.</summary>
    public static async Task PrefillAsync(SampleOptions options, IReadOnlyList<PromptRequest> requests, CancellationToken cancellationToken)
    {
        using var devices = GpuDevices.Open(options.Device);
        await using TransferEngine engine = Engines.OnNvlink(devices.Prefill, options);
        var left = new TaskCompletionSource();
        using IDisposable registration = engine.OnPeerFailed((_, failure) =>
        {
            Console.WriteLine($"prefill: {failure.Message}");
            left.TrySetResult();
        });
        await using GpuPrefill<DeepSeekV3, DeepSeekV3.Transfer> deepSeek = GpuStreaming.Prefill<DeepSeekV3, DeepSeekV3.Transfer>(devices, engine, DeepSeekV3.TailBytes, DeepSeekV3.Channel, options, requests);
        await using GpuPrefill<Llama70B, Llama70B.Transfer> llama = GpuStreaming.Prefill<Llama70B, Llama70B.Transfer>(devices, engine, Llama70B.TailBytes, Llama70B.Channel, options, requests);
        Console.WriteLine($"prefill is at {engine.Address}");
        await using IAsyncDisposable? published = options.Rendezvous is { } place ? await Rendezvous.PublishAsync(place, engine.Address.ToString()) : null;
        // The model loops only end by themselves when they fail: say why.
        await await Task.WhenAny(left.Task, deepSeek.RunAsync(), llama.RunAsync()).WaitAsync(cancellationToken);
    }
}
