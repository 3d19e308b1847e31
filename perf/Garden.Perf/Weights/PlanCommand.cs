using System.CommandLine;
using System.Diagnostics;
using Garden.Weights;

namespace Garden.Perf.Weights;

/// <summary><c>garden-perf weights plan</c>: how long the planner takes for Kimi-K2, in how much memory, and how even the loads are.</summary>
internal static class PlanCommand
{
    public static Command Create(Option<bool> json)
    {
        var command = new Command("plan", "The routing planner on Kimi-K2's 70 000 tensors, 256 to 128 ranks: time, memory, loads.");
        command.SetAction(parse =>
        {
            var report = new Report(parse.GetValue(json));
            Run(report, "flat over 256", WeightMeshes<KimiFlat>.Create(new(256), new(16, 8)));
            Run(report, "experts over 64, flat over 4", WeightMeshes<KimiHybrid>.Create(new(8, 4, 8), new(16, 8)));
            Run(report, "the same, data-parallel attention", WeightMeshes<KimiHybrid>.Create(new(8, 4, 8), new(128, 1)));
            Run(report, "any that has gathered", WeightMeshes<KimiGathered>.Create(new(8, 4, 8), new(16, 8)));
            Run(report, "any, data-parallel attention", WeightMeshes<KimiGathered>.Create(new(8, 4, 8), new(128, 1)));
            return 0;
        });
        return command;
    }

    private static void Run<TMap>(Report report, string name, WeightMeshes<TMap> meshes)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        GC.Collect();
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long before = GC.GetTotalAllocatedBytes(precise: true), start = Stopwatch.GetTimestamp();
        WeightSchedule schedule = WeightSchedule.Plan(meshes);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        cpu = Environment.CpuUsage.TotalTime - cpu;
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        start = Stopwatch.GetTimestamp();
        byte[] bytes = schedule.ToBytes();
        WeightSchedule.Load(meshes, bytes);
        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        start = Stopwatch.GetTimestamp();
        using WeightSenderPlan plan = schedule.SenderPlan(0);
        double sender = Stopwatch.GetElapsedTime(start).TotalSeconds;
        long[] sent = schedule.BytesSent(), received = schedule.BytesReceived();
        report.Line(
            "weights_plan", ("trainer                          ", name), ("tasks  ", schedule.Tasks), ("plan_s", seconds), ("cpu_s", cpu.TotalSeconds), ("allocated_mb", allocated / 1e6), ("peak_mb", Environment.WorkingSet / 1e6),
            ("wire_mb", bytes.Length / 1e6), ("save_load_s", load), ("sender_plan_s", sender), ("most_sent_gb", sent.Max() / 1e9), ("over_mean", sent.Max() / sent.Average()),
            ("most_received_gb", received.Max() / 1e9));
    }
}
