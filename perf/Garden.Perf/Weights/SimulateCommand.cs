using System.CommandLine;
using System.Diagnostics;
using Garden.Fabric.Simulation;
using Garden.Weights;

namespace Garden.Perf.Weights;

/// <summary><c>garden-perf weights simulate</c>: the update of Kimi-K2 from 256 to 128 ranks in virtual time.</summary>
internal static class SimulateCommand
{
    private static readonly (int Groups, int Receivers, double Gigabits)[] s_speeds = [(8, 128, 100), (8, 128, 200), (8, 128, 400), (8, 128, 800)];

    private static readonly (int Groups, int Receivers, double Gigabits)[] s_ranks = [(4, 64, 400), (8, 64, 400), (12, 192, 400), (12, 384, 400)];

    public static Command Create(Option<bool> json)
    {
        var sensitivity = new Option<string?>("--sensitivity") { Description = "Instead, other NIC speeds (nic) or rank counts (ranks)." };
        sensitivity.AcceptOnlyFromAmong("nic", "ranks");
        var straggler = new Option<double>("--straggler")
        {
            Description = "How many times slower one rank copies from host memory; 1 for none.",
            DefaultValueFactory = static _ => SimulateCosts.Straggler,
        };
        var row = new Option<int?>("--row") { Description = "Only this row of the other sizes, from 0." };
        var command = new Command("simulate", "Weight updates of Kimi-K2 in virtual time: TransferEngine's published policy, Garden's, and what each change brings.") { sensitivity, row, straggler };
        command.SetAction(parse =>
        {
            long start = Stopwatch.GetTimestamp();
            var report = new Report(parse.GetValue(json));
            if (parse.GetValue(sensitivity) is { } what)
            {
                (int, int, double)[] cases = what == "nic" ? s_speeds : s_ranks;
                RunSensitivity(report, parse.GetValue(straggler), parse.GetValue(row) is { } only ? [cases[Math.Clamp(only, 0, cases.Length - 1)]] : cases);
            }
            else
            {
                RunPolicies(report, parse.GetValue(straggler));
            }

            report.Row("weights_simulate_took", ("seconds", Stopwatch.GetElapsedTime(start).TotalSeconds));
            return 0;
        });
        return command;
    }

    private static void RunPolicies(Report report, double straggler)
    {
        SimulatePolicy published = SimulatePolicy.Published, garden = SimulatePolicy.Garden;
        var mesh = new SimulateMesh(SimulateCosts.Groups, SimulateCosts.InferenceRanks, SimulateCosts.Nic);
        (SimulatePolicy Policy, double Straggler)[] runs =
        [
            (published, straggler),
            (published with { Name = "the same, no slow rank" }, 1),
            (published with { Name = "no barrier between groups", Barrier = false }, straggler),
            (published with { Name = "and stages overlap", Barrier = false, Overlap = true }, straggler),
            (garden with { Name = "and planned senders", Order = false }, straggler),
            (garden, straggler),
            (garden with { Name = "and quantise before full_tensor", QuantiseFirst = true }, straggler),
            (garden with { Name = "without full_tensor", Gather = false }, straggler),
            (published with { Name = "published, gathers beside the NICs", SharedNic = false }, straggler),
            (garden with { Name = "Garden, gathers beside the NICs", SharedNic = false }, straggler),
        ];
        SimulateResult[] results = Run(mesh, runs);
        for (int i = 0; i < runs.Length; i++)
        {
            SimulateResult result = results[i];
            report.Line(
                "weights_simulate", ("policy                            ", runs[i].Policy.Name), ("seconds", result.Seconds), ("of_published", result.Seconds / SimulateCosts.PublishedSeconds),
                ("nic_bound_s", result.BoundSeconds), ("of_bound", result.Seconds / result.BoundSeconds), ("sender_busy", result.SenderBusy), ("receiver_busy", result.ReceiverBusy),
                ("events", result.Steps));
        }

        for (int i = 0; i < runs.Length; i++)
        {
            double[] stages = results[i].StageSeconds;
            report.Line(
                "weights_simulate_rank_0", ("time of rank 0                    ", runs[i].Policy.Name), ("h2d_s", stages[0]), ("full_tensor_s", stages[1]), ("fuse_s", stages[2]),
                ("quantise_s", stages[3]), ("submit_s", stages[4]), ("nothing_to_do_s", results[i].WaitSeconds), ("of_it_or_beside_it_gathers_wait_s", results[i].GatherWaitSeconds));
        }

        report.Line(
            "weights_simulate_published", ("time of a rank, published         ", "TransferEngine"), ("h2d_s", SimulateCosts.HostToDeviceSeconds), ("full_tensor_s", SimulateCosts.GatherSeconds),
            ("fuse_s", SimulateCosts.FuseSeconds), ("quantise_s", SimulateCosts.QuantiseSeconds), ("submit_s", SimulateCosts.SubmitSeconds), ("waiting_s", SimulateCosts.PublishedWaitSeconds));
    }

    private static void RunSensitivity(Report report, double straggler, (int Groups, int Receivers, double Gigabits)[] cases)
    {
        SimulatePolicy published = SimulatePolicy.Published, garden = SimulatePolicy.Garden;
        foreach ((int groups, int receivers, double gigabits) in cases)
        {
            var mesh = new SimulateMesh(groups, receivers, SimulateCosts.Nic with { BytesPerSecond = SimulateCosts.Nic.BytesPerSecond * gigabits / 400 });
            SimulateResult[] results = Run(mesh, [(published, straggler), (garden, straggler), (garden with { QuantiseFirst = true }, straggler), (garden with { Gather = false }, straggler)]);
            report.Line(
                "weights_simulate_sensitivity", ("trainers", groups * SimulateCosts.Shards * SimulateCosts.Gpus), ("receivers", receivers), ("gbit_s", gigabits),
                ("published_s", results[0].Seconds), ("garden_s", results[1].Seconds), ("quantise_first_s", results[2].Seconds), ("without_full_tensor_s", results[3].Seconds),
                ("nic_bound_s", results[3].BoundSeconds));
        }
    }

    /// <summary>Two at a time; each run belongs to one thread and is the same every time.</summary>
    private static SimulateResult[] Run(SimulateMesh mesh, (SimulatePolicy Policy, double Straggler)[] runs)
    {
        WeightMesh trainer = new(mesh.Groups, SimulateCosts.Shards, SimulateCosts.Gpus), inference = new(mesh.Receivers, 1);
        var gathered = new Lazy<WeightSchedule>(() => WeightSchedule.Plan(WeightMeshes<KimiGathered>.Create(trainer, inference)));
        var sharded = new Lazy<WeightSchedule>(() => WeightSchedule.Plan(WeightMeshes<KimiHybrid>.Create(trainer, inference)));
        var results = new SimulateResult[runs.Length];
        Parallel.For(0, runs.Length, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            (SimulatePolicy policy, double straggler) = runs[i];
            SimulateWorkload workload = SimulateWorkload.Of((policy.Gather ? gathered : sharded).Value, policy, mesh.Nic.BytesPerSecond);
            results[i] = new SimulateUpdate(workload, policy, mesh.Nic, mesh.Receivers, straggler).Run();
        });
        return results;
    }

    /// <summary>How many ranks, over what.</summary>
    private sealed record SimulateMesh(int Groups, int Receivers, SimulatedNicOptions Nic);
}
