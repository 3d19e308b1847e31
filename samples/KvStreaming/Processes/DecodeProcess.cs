using Garden;
using Garden.Samples;

namespace KvStreaming;

/// <summary>The decode side as a process of its own, and the prefill process beside it where nobody else starts one.</summary>
internal static class DecodeProcess
{
    private static readonly TimeSpan s_findDeadline = TimeSpan.FromSeconds(60);

    public static async Task<ModelResult[]> RunAsync(SampleOptions options, IReadOnlyList<PromptRequest> requests, CancellationToken cancellationToken)
    {
        string place = options.Peer ?? $"file:{Path.Combine(Path.GetTempPath(), $"kv-streaming-{Environment.ProcessId}")}";
        using PrefillChild? child = options.Role == Role.Both ? PrefillChild.Start(place) : null;
        await using TransferEngine engine = Engines.Build(options);
        string address = place.Contains("://", StringComparison.Ordinal) ? place : await Rendezvous.FindAsync(place, s_findDeadline, cancellationToken);
        Peer prefiller = await engine.ConnectAsync(NetAddress.Parse(address), TimeSpan.FromSeconds(20), cancellationToken: cancellationToken);
        ModelResult[] results =
        [
            await ProgressReport.RunAsync(DeepSeekV3.Name, requests.Count, progress => StreamingJob.DecodeAsync<DeepSeekV3, DeepSeekV3.Transfer>(
                DeepSeekV3.Name, DeepSeekV3.TailBytes, DeepSeekV3.Channel, options, requests, engine, prefiller, progress, cancellationToken)),
            await ProgressReport.RunAsync(Llama70B.Name, requests.Count, progress => StreamingJob.DecodeAsync<Llama70B, Llama70B.Transfer>(
                Llama70B.Name, Llama70B.TailBytes, Llama70B.Channel, options, requests, engine, prefiller, progress, cancellationToken)),
        ];
        await prefiller.CloseAsync();
        if (child is not null)
            await child.EndAsync();
        return results;
    }
}
