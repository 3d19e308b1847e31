namespace Garden.Perf.Weights.Update;

/// <summary>2 GiB from two trainer processes to two inference processes over tcp, beside the same bytes over the bare provider, in turns.</summary>
internal static class UpdateScenario
{
    /// <summary>Bytes of a write of the raw loop; the better one is the ceiling.</summary>
    public static long[] RawWrites { get; } = [1 << 20, 8 << 20];

    public static async Task RunAsync(Report report, int rounds)
    {
        string directory = Directory.CreateTempSubdirectory("garden-weights-").FullName;
        try
        {
            await using UpdateNodes nodes = await UpdateNodes.StartAsync(new UpdatePlan(directory));
            // Connections, page faults and compilation are not what is measured.
            double verified = await nodes.DoAsync("verify", 1);
            foreach (long write in RawWrites)
                await nodes.DoAsync("raw", write);
            await nodes.DoAsync("update", 1);
            // Each update lies between two raw rounds of each kind, because the machine's speed changes from one to the next.
            var updates = new List<double>();
            List<double>[] raws = [.. RawWrites.Select(static _ => new List<double>())];
            await RawAsync(nodes, raws);
            for (int round = 0; round < rounds; round++)
            {
                updates.Add(await nodes.DoAsync("update", round + 2));
                await RawAsync(nodes, raws);
            }

            double bytes = UpdatePlan.Bytes, update = bytes / Statistics.Median(updates) / 1e9;
            double[] ceilings = [.. raws.Select(times => bytes / Statistics.Median(times) / 1e9)];
            // The better kind of write, the mean of before and after.
            double[] ratios = [.. updates.Select((seconds, round) => raws.Min(times => (times[round] + times[round + 1]) / 2) / seconds).Order()];
            report.Row(
                "weights",
                ("fabric", "tcp"),
                ("processes", $"{UpdatePlan.Trainers} trainers, {UpdatePlan.Receivers} inference"),
                ("bytes", UpdatePlan.Bytes),
                ("update_gb_s", update),
                ("update_seconds", Statistics.Median(updates)),
                ("raw_1mib_gb_s", ceilings[0]),
                ("raw_8mib_gb_s", ceilings[1]),
                ("ratio_median_of_rounds", ratios[ratios.Length / 2]),
                ("ratio_of_medians", update / ceilings.Max()),
                ("ratio_least", ratios[0]),
                ("ratio_most", ratios[^1]),
                ("rounds", rounds),
                ("verified_update_seconds", verified),
                ("hashes", "all equal"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task RawAsync(UpdateNodes nodes, List<double>[] raws)
    {
        for (int i = 0; i < RawWrites.Length; i++)
            raws[i].Add(await nodes.DoAsync("raw", RawWrites[i]));
    }
}
