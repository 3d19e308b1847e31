using System.CommandLine;

namespace KvStreaming;

/// <summary>The options of the command line.</summary>
internal static class CommandLine
{
    private const int DefaultReorderSeed = 1;
    private const int DefaultLayerMicroseconds = 1000;

    public static RootCommand Create(Func<SampleOptions, CancellationToken, Task<int>> run)
    {
        var requests = new Option<int?>("--requests") { Description = "Requests per model; all of a trace, or 64 generated ones." };
        var trace = new Option<FileInfo?>("--trace") { Description = "Replay requests from a JSONL file of {timestamp, input_length, output_length, hash_ids}." };
        var realtime = new Option<bool>("--realtime") { Description = "Honour the requests' timestamps instead of replaying as fast as possible." };
        var layers = new Option<int?>("--layers") { Description = "Layers of each model to stream; 8, or 4 with --trace." };
        var nics = new Option<int>("--nics") { Description = "Virtual NICs of each engine, 1 to 8.", DefaultValueFactory = _ => 1 };
        var reorder = new Option<int?>("--reorder") { Description = "Deliver writes and messages out of order, with an optional seed.", Arity = ArgumentArity.ZeroOrOne };
        var corrupt = new Option<bool>("--corrupt") { Description = "Flip one byte after it arrived: the run must notice and fail." };
        var json = new Option<bool>("--json") { Description = "Print the figures as one JSON object on the last line." };
        var layerTime = new Option<int>("--layer-time") { Description = "The least time in µs a layer's compute takes per chunk.", DefaultValueFactory = _ => DefaultLayerMicroseconds };
        var placement = new Option<Placement>("--placement") { Description = "What the page pools look like: Fresh, Fragmented or Random.", DefaultValueFactory = _ => Placement.Fragmented };
        var chunk = new Option<int>("--chunk") { Description = "Tokens per prefill chunk, 0 for whole prompts.", DefaultValueFactory = _ => 8192 };
        var inFlight = new Option<int>("--in-flight") { Description = "Requests the decoder has under way at once.", DefaultValueFactory = _ => 2 };
        var seed = new Option<int>("--seed") { Description = "Seed of the generated requests, the data and the page pools.", DefaultValueFactory = _ => 1 };
        var fabric = new Option<FabricName>("--fabric") { Description = "Loopback (this process), Tcp or Shm (two processes; libfabric must be installed), Verbs (two processes; an RDMA device), Nvlink (GPUs; this process, or two)." };
        var device = new Option<DeviceName>("--device") { Description = "Nvlink: Cuda, or Cpu for ILGPU's CPU accelerator, which needs no GPU." };
        var twoProcesses = new Option<bool>("--two-processes") { Description = "Nvlink: start the prefill side as a process of its own; memory is shared by CUDA IPC." };
        var role = new Option<Role>("--role") { Description = "Both, or one side of two processes that are started by hand: Prefill or Decode." };
        var rendezvous = new Option<string?>("--rendezvous") { Description = "Prefill: publish the engine's address at file:PATH or ADDRESS:PORT." };
        var peer = new Option<string?>("--peer") { Description = "Decode: the prefill engine's address as it prints it, or where it publishes it." };
        var bind = new Option<string[]>("--bind") { Description = "This side's NICs. Tcp: local addresses, 127.0.0.1 and on by default; Verbs: devices, every active one by default.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
        var heartbeat = new Option<int>("--heartbeat") { Description = "Seconds between an engine's signs of life; a peer that is silent for three of them has failed. An emulated device may need 20.", DefaultValueFactory = _ => 1 };
        RequireRange(requests, 1, 1_000_000);
        RequireRange(layers, 1, 1_000);
        RequireRange(nics, 1, 8);
        RequireRange(layerTime, 0, 10_000_000);
        RequireRange(chunk, 0, int.MaxValue);
        RequireRange(inFlight, 1, 64);
        RequireRange(heartbeat, 1, 3_600);

        var command = new RootCommand("Streams KV caches from a prefill engine to a decode engine, in this process or another, layer by layer, and verifies every byte.")
        {
            requests, trace, realtime, layers, nics, reorder, corrupt, json, layerTime, placement, chunk, inFlight, seed, fabric, device, twoProcesses, role, rendezvous, peer, bind, heartbeat,
        };
        command.SetAction((parsed, cancellationToken) =>
        {
            bool onNvlink = parsed.GetValue(fabric) == FabricName.Nvlink;
            foreach (Option option in onNvlink ? (Option[])[realtime, nics, layerTime, chunk, inFlight] : [device])
            {
                if (parsed.GetResult(option) is { Implicit: false })
                    throw new UsageException($"{option.Name} is {(onNvlink ? "not for --fabric nvlink, whose model is a captured graph" : "for --fabric nvlink")}; leave it out.");
            }

            return run(Read(parsed), cancellationToken);
        });
        return command;

        SampleOptions Read(ParseResult parsed) => new()
        {
            Requests = parsed.GetValue(requests),
            Trace = parsed.GetValue(trace),
            Realtime = parsed.GetValue(realtime),
            Layers = parsed.GetValue(layers),
            Nics = parsed.GetValue(nics),
            ReorderSeed = parsed.GetResult(reorder) is null ? null : parsed.GetValue(reorder) ?? DefaultReorderSeed,
            Corrupt = parsed.GetValue(corrupt),
            Json = parsed.GetValue(json),
            LayerTime = TimeSpan.FromMicroseconds(parsed.GetValue(layerTime)),
            Placement = parsed.GetValue(placement),
            ChunkTokens = parsed.GetValue(chunk),
            InFlight = parsed.GetValue(inFlight),
            Seed = parsed.GetValue(seed),
            Fabric = parsed.GetValue(fabric),
            Device = parsed.GetValue(device),
            TwoProcesses = parsed.GetValue(twoProcesses),
            Role = parsed.GetValue(role),
            Rendezvous = parsed.GetValue(rendezvous),
            Peer = parsed.GetValue(peer),
            Bind = parsed.GetValue(bind)!,
            Heartbeat = TimeSpan.FromSeconds(parsed.GetValue(heartbeat)),
        };
    }

    private static void RequireRange<T>(Option<T> option, int least, int most) =>
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int value) && (value < least || value > most))
                result.AddError($"{option.Name} is {least} to {most}; got {value}.");
        });
}
