using Garden;
using Garden.KvCache;
using Garden.Samples;

namespace KvStreaming;

/// <summary>The prefill side as a process of its own: serves both models on one engine, until its decoder has gone.</summary>
internal static class PrefillProcess
{
    public static async Task RunAsync(SampleOptions options, IReadOnlyList<PromptRequest> requests, CancellationToken cancellationToken)
    {
        await using TransferEngine engine = Engines.Build(options);
        var left = new TaskCompletionSource();
        using IDisposable registration = engine.OnPeerFailed((_, failure) =>
        {
            Console.WriteLine($"prefill: {failure.Message}");
            left.TrySetResult();
        });
        await using var deepSeek = new PrefillSide<DeepSeekV3, DeepSeekV3.Transfer>(options, engine, requests, DeepSeekV3.TailBytes, DeepSeekV3.Channel);
        await using var llama = new PrefillSide<Llama70B, Llama70B.Transfer>(options, engine, requests, Llama70B.TailBytes, Llama70B.Channel);
        Console.WriteLine($"prefill is at {engine.Address}");
        await using IAsyncDisposable? published = options.Rendezvous is { } place ? await Rendezvous.PublishAsync(place, engine.Address.ToString()) : null;
        // The model loops only end by themselves when they fail: say why.
        await await Task.WhenAny(left.Task, deepSeek.RunAsync(), llama.RunAsync()).WaitAsync(cancellationToken);
        Console.WriteLine($"prefill: {engine.Devices[0].GetStatistics().Sum(static nic => nic.Writes):N0} writes for {requests.Count} requests of each model.");
    }
}
