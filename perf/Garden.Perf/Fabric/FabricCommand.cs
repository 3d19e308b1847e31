using System.CommandLine;
using Garden.Interop.Verbs;

namespace Garden.Perf.Fabric;

/// <summary><c>garden-perf fabric</c>: the engine on a fabric beside the same loop on the bare provider.</summary>
internal static class FabricCommand
{
    public static Command Create(Option<bool> json)
    {
        var fabric = new Option<string>("--fabric") { Description = "The fabric: loopback, tcp, shm, efa or verbs.", DefaultValueFactory = static _ => "loopback" };
        fabric.AcceptOnlyFromAmong([.. FabricChoice.Names]);
        var bind = new Option<string[]>("--bind")
        {
            Description = "tcp: local addresses of the two ends (127.0.0.1); efa: the adapters' domains; verbs: the devices, the first two by default. One serves both ends.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = static _ => [],
        };
        var quick = new Option<bool>("--quick") { Description = "A few sizes and rounds: about ten seconds." };
        var sample = new Option<int>("--sample-ms") { Description = "How long one sample takes; more where a device is slow.", DefaultValueFactory = static _ => 25 };
        var bytes = new Option<long[]>("--bytes")
        {
            Description = "Only the throughput of writes of these lengths, of --pages pages an operation.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = static _ => [],
        };
        bytes.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<long[]>() is { } lengths && lengths.Any(static one => one is < 1 or > Workload.AreaBytes))
                result.AddError($"A length is 1 to {Workload.AreaBytes} bytes.");
        });
        var pages = new Option<int[]>("--pages")
        {
            Description = "With --bytes: pages per operation, 0 for single writes.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = static _ => [0, 1024],
        };
        var rounds = new Option<int>("--rounds") { Description = "With --bytes or --chains: pairs of samples.", DefaultValueFactory = static _ => 41 };
        var latency = new Option<bool>("--latency") { Description = $"With --bytes, each at most {PairMemory.MostLatencyBytes}: latencies instead of throughput." };
        var raw = new Option<bool>("--raw-only") { Description = "Only the loop on the bare provider, a sample for each line \"BYTES MILLISECONDS\" of the input: perf/compare-native.sh." };
        var engine = new Option<bool>("--engine-only") { Description = "Only the engine, by the same lines: perf/compare-perftest.sh." };
        var chains = new Option<bool>("--chains") { Description = "verbs: only chains of 16 writes beside chains of one, both through the engine." };
        var chain = new Option<int>("--chain") { Description = "verbs: writes in one chain, 1 to 64.", DefaultValueFactory = static _ => new VerbsOptions().ChainLength };
        chain.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 64)
                result.AddError("A chain has 1 to 64 writes.");
        });
        latency.Validators.Add(result =>
        {
            if (!result.Implicit && (result.GetResult(bytes) is not { } given || given.GetValueOrDefault<long[]>() is not { Length: > 0 } lengths || lengths.Any(static one => one > PairMemory.MostLatencyBytes)))
                result.AddError($"--latency goes with --bytes, lengths of 1 to {PairMemory.MostLatencyBytes} bytes.");
        });
        var command = new Command("fabric", "Latency and throughput of the engine on a fabric, beside the same loop on the bare provider in the same run. One thread drives both ends.")
        {
            fabric, bind, quick, sample, bytes, pages, rounds, latency, raw, engine, chains, chain,
        };
        command.SetAction((parse, _) =>
        {
            var report = new Report(parse.GetValue(json));
            var choice = new FabricChoice(parse.GetValue(fabric)!, parse.GetValue(bind)!) { ChainLength = parse.GetValue(chain) };
            try
            {
                if (parse.GetValue(raw) || parse.GetValue(engine))
                    SampleScenario.Run(choice, parse.GetValue(engine), Console.In, Console.Out);
                else if (parse.GetValue(chains))
                    Scenario(parse.GetValue(rounds)).RunChains();
                else if (parse.GetValue(latency))
                    Scenario(1).RunLatencies(parse.GetValue(bytes)!);
                else if (parse.GetValue(bytes) is { Length: > 0 } lengths)
                    Scenario(parse.GetValue(rounds)).RunRows(lengths, parse.GetValue(pages)!);
                else
                    Scenario(parse.GetValue(quick) ? 5 : 11).Run(parse.GetValue(quick));
                return Task.FromResult(0);
            }
            catch (Exception exception) when (exception is FabricException or InvalidDataException or TimeoutException)
            {
                Console.Error.WriteLine(exception.Message);
                return Task.FromResult(1);
            }

            FabricScenario Scenario(int most) => new(choice, report, most, TimeSpan.FromMilliseconds(parse.GetValue(sample)));
        });
        return command;
    }
}
