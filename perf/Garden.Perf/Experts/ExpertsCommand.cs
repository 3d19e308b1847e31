using System.CommandLine;
using Garden.Kernels;
using Garden.Kernels.Experts;
using Garden.Perf.Gpu;

namespace Garden.Perf.Experts;

/// <summary><c>garden-perf experts</c>: dispatch and combine of ranks that share a device, and what the network's side costs.</summary>
internal static class ExpertsCommand
{
    private const long CopyBytes = 1L << 30;

    public static Command Create(Option<bool> json)
    {
        var device = new Option<string>("--device") { Description = "cpu, or the number of a CUDA device.", DefaultValueFactory = static _ => "cpu" };
        var only = new Option<string?>("--only") { Description = "Run only: rounds or post." };
        var ranks = new Option<int>("--ranks") { Description = "Ranks on the device.", DefaultValueFactory = static _ => 2 };
        var tokens = new Option<int[]>("--tokens") { Description = "Tokens a rank.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = static _ => [1, 8, 32, 128] };
        var groups = new Option<int[]>("--groups") { Description = "Groups of a kernel at most, 0 for as many as are useful.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = static _ => [0] };
        var threads = new Option<int[]>("--threads") { Description = "Threads of a group, 0 for the default.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = static _ => [0] };
        var modes = new Option<ExpertOutput[]>("--output") { Description = "How received rows lie.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = static _ => [ExpertOutput.ExpertContiguous] };
        var bf16 = new Option<bool>("--bf16") { Description = "BF16 rows as well." };
        var zipf = new Option<bool>("--zipf") { Description = "Skewed choices as well." };
        var timeline = new Option<bool>("--timeline") { Description = "Cycles between the steps of each kernel instead." };
        var cold = new Option<bool>("--cold") { Description = "With a cold L2 as well." };
        var command = new Command("experts", "Mixture-of-experts dispatch and combine, DeepSeek-V3's shape: kernels, bytes on the wire, and the host's part of a network.")
        {
            device, only, ranks, tokens, groups, threads, modes, bf16, zipf, cold, timeline,
        };
        command.SetAction(async (parse, _) =>
        {
            var report = new Report(parse.GetValue(json));
            string? wanted = parse.GetValue(only);
            if (wanted is null or "post")
                await ExpertPostScenario.RunAsync(report);
            if (wanted is not (null or "rounds"))
                return 0;
            using KernelDevice opened = parse.GetValue(device) is "cpu" ? KernelDevice.OpenCpu(2, 8) : KernelDevice.OpenCuda(int.Parse(parse.GetValue(device)!, null));
            double memcpy = Memcpy(opened);
            foreach (int count in parse.GetValue(tokens)!)
            {
                foreach (ExpertOutput mode in parse.GetValue(modes)!)
                {
                    foreach ((int most, int width) in parse.GetValue(groups)!.SelectMany(most => parse.GetValue(threads)!.Select(width => (most, width))))
                    {
                        foreach ((bool skewed, bool flushed) in new[] { (false, false), (true, false), (false, true) })
                        {
                            if ((skewed && !parse.GetValue(zipf)) || (flushed && !parse.GetValue(cold)))
                                continue;
                            var options = new ExpertRankOptions { Output = mode, MaxGroups = most, GroupThreads = width };
                            if (parse.GetValue(timeline))
                            {
                                ExpertTimeline.Run<DeepSeekFp8>(report, opened, parse.GetValue(ranks), count, options);
                                continue;
                            }

                            ExpertRoundScenario.Run<DeepSeekFp8>(report, opened, memcpy, parse.GetValue(ranks), count, options, skewed, flushed);
                            if (parse.GetValue(bf16))
                                ExpertRoundScenario.Run<DeepSeekBf16>(report, opened, memcpy, parse.GetValue(ranks), count, options, skewed, flushed);
                        }
                    }
                }
            }

            return 0;
        });
        return command;
    }

    /// <summary>GB/s of a copy on the device, read and written.</summary>
    private static double Memcpy(KernelDevice device)
    {
        long bytes = device is CudaDevice ? CopyBytes : CopyBytes / 16;
        using var bench = new GpuBench(device);
        using DeviceBuffer source = bench.Allocate(bytes), destination = bench.Allocate(bytes);
        return bench.Throughput(bytes, () => bench.Stream.Copy(destination.Address, source.Address, bytes));
    }
}
