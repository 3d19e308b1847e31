using System.Runtime.InteropServices;
using Garden.Experts;
using Garden.Kernels;
using Garden.Kernels.Experts;

namespace Garden.Perf.Experts;

/// <summary>Where the time of a round goes inside its kernels: cycles between the steps of each kernel, of its first group and of its slowest. Kernels that stamp are not those that are timed.</summary>
internal static class ExpertTimeline
{
    private const int Rounds = 30;

    private static readonly string[][] s_steps =
    [
        ["gate", "count", "sum", "place", "rows", "last group", "tell"],
        ["gate", "sum", "place", "rows", "last group", "tell"],
        ["gate", "list", "rows", "last group", "tell"],
        ["gate", "list", "rows", "last group", "tell"],
    ];

    public static void Run<TRouting>(Report report, KernelDevice device, int ranks, int tokens, ExpertRankOptions options)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        using var job = new ExpertJob<TRouting>(device, ranks, tokens, options, Rounds, zipf: false, traced: true);
        DeviceStream stream = device.DefaultStream;
        var first = new Dictionary<(int Phase, int Step), List<double>>();
        var slowest = new Dictionary<(int Phase, int Step), List<double>>();
        DeviceBuffer trace = job.Ranks[0].Trace!;
        var bytes = new byte[trace.Length];
        for (int round = 0; round < Rounds; round++)
        {
            stream.Fill(trace.Address, 0, trace.Length);
            job.Lockstep(round, stream);
            stream.Synchronize();
            trace.Read(bytes);
            for (int phase = 0; phase < s_steps.Length && round >= Rounds / 3; phase++)
                Add(MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan()), phase, first, slowest);
        }

        job.Check();
        for (int phase = 0; phase < s_steps.Length; phase++)
        {
            for (int step = 0; step < s_steps[phase].Length; step++)
            {
                if (!first.TryGetValue((phase, step), out List<double>? times) || times.Count == 0)
                    continue;
                report.Row(
                    "experts-timeline",
                    ("routing", typeof(TRouting).Name),
                    ("tokens", tokens),
                    ("output", options.Output.ToString()),
                    ("max_groups", options.MaxGroups),
                    ("kernel", ((ExpertPhase)phase).ToString()),
                    ("step", s_steps[phase][step]),
                    ("first_group_cycles", Statistics.Median(times)),
                    ("slowest_group_cycles", Statistics.Median(slowest[(phase, step)])));
            }
        }
    }

    private static void Add(ReadOnlySpan<ulong> stamps, int phase, Dictionary<(int Phase, int Step), List<double>> first, Dictionary<(int Phase, int Step), List<double>> slowest)
    {
        for (int step = 0; step < s_steps[phase].Length; step++)
        {
            double most = -1;
            for (int group = 0; group < ClockTrace.Groups; group++)
            {
                ulong end = At(stamps, phase, step + 1, group);
                int before = step;
                // A group that has nothing to do leaves steps out.
                while (before > 0 && At(stamps, phase, before, group) == 0)
                    before--;
                // Stamps of a later batch overwrite those of the first.
                if (end == 0 || end < At(stamps, phase, before, group))
                    continue;
                double cycles = end - At(stamps, phase, before, group);
                most = Math.Max(most, cycles);
                if (group == 0)
                    Of(first, (phase, step)).Add(cycles);
            }

            if (most >= 0)
            {
                Of(slowest, (phase, step)).Add(most);
                Of(first, (phase, step));
            }
        }
    }

    private static ulong At(ReadOnlySpan<ulong> stamps, int phase, int step, int group) => stamps[(((phase * ClockTrace.Steps) + step) * ClockTrace.Groups) + group];

    private static List<double> Of(Dictionary<(int Phase, int Step), List<double>> times, (int Phase, int Step) key) => CollectionsMarshal.GetValueRefOrAddDefault(times, key, out _) ??= [];
}
