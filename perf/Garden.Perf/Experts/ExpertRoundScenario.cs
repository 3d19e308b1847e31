using Garden.Experts;
using Garden.Kernels;
using Garden.Kernels.Experts;
using Garden.Perf.Gpu;

namespace Garden.Perf.Experts;

/// <summary>
/// Rounds of ranks that share one device: each kernel alone on it, a graph of rounds one rank after the other, and a graph with all
/// ranks at once. No figure here has a link between GPUs in it.
/// </summary>
internal static class ExpertRoundScenario
{
    private const int Routings = 50;
    private const int Samples = 2000;
    private const int FewTokens = 32;

    public static void Run<TRouting>(Report report, KernelDevice device, double memcpy, int ranks, int tokens, ExpertRankOptions options, bool zipf, bool cold)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        using var job = new ExpertJob<TRouting>(device, ranks, tokens, options, tokens > 1024 ? 10 : Routings, zipf);
        using DeviceStream stream = device.CreateStream();
        (double[] phases, double[] tails) = Phases(job, stream, cold);
        bool cuda = device is CudaDevice;
        (double lockstep, double lockstepTail) = cuda ? Graph(job, stream, Lockstep) : (phases.Sum() * ranks, tails.Sum() * ranks);
        // Kernels of all ranks wait for one another: they must leave one another room.
        (double together, double togetherTail) = cuda && (options.MaxGroups != 0 || tokens <= FewTokens) ? Graph(job, stream, Together) : (0, 0);
        job.Check();
        double rows = job.RemoteRowsPerToken * tokens;
        double dispatchBytes = rows * TRouting.RowBytes, combineBytes = rows * TRouting.CombineRowBytes;
        report.Row(
            "experts",
            ("routing", typeof(TRouting).Name),
            ("device", device.Name),
            ("ranks_on_this_device", ranks),
            ("tokens", tokens),
            ("output", options.Output.ToString()),
            ("choices", zipf ? "zipf" : "uniform"),
            ("l2", cold ? "cold" : "warm"),
            ("max_groups", options.MaxGroups),
            ("dispatch_send_us", phases[0]),
            ("dispatch_receive_us", phases[1]),
            ("combine_send_us", phases[2]),
            ("combine_receive_us", phases[3]),
            ("dispatch_us", phases[0] + phases[1]),
            ("combine_us", phases[2] + phases[3]),
            ("dispatch_send_p99_us", tails[0]),
            ("dispatch_receive_p99_us", tails[1]),
            ("combine_send_p99_us", tails[2]),
            ("combine_receive_p99_us", tails[3]),
            ("pair_in_graph_us", lockstep / ranks),
            ("pair_in_graph_p99_us", lockstepTail / ranks),
            ("pair_all_ranks_at_once_us", together),
            ("pair_all_ranks_at_once_p99_us", togetherTail),
            ("remote_rows_per_token", job.RemoteRowsPerToken),
            ("wire_bytes_per_token_dispatch", job.RemoteRowsPerToken * TRouting.RowBytes),
            ("wire_bytes_per_token_combine", job.RemoteRowsPerToken * TRouting.CombineRowBytes),
            ("remote_gb_per_second_dispatch", dispatchBytes / (phases[0] + phases[1]) / 1e3),
            ("remote_gb_per_second_combine", combineBytes / (phases[2] + phases[3]) / 1e3),
            ("nvlink_floor_dispatch_us", dispatchBytes / NvlinkBytesPerMicrosecond),
            ("nvlink_floor_combine_us", combineBytes / NvlinkBytesPerMicrosecond),
            ("hbm_floor_pair_us", HbmBytes<TRouting>(ranks, tokens, options.Output) / memcpy / 1e3),
            ("memcpy_gb_per_second", memcpy));
    }

    /// <summary>Stores to a peer over NVLink on two H200s, docs/performance.md: the floor of a link that these figures do not have.</summary>
    private const double NvlinkBytesPerMicrosecond = 369e3;

    /// <summary>Bytes that one rank's memory must move in a round at uniform choices: read and written, once each.</summary>
    private static double HbmBytes<TRouting>(int ranks, int tokens, ExpertOutput output)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int perRank = ExpertPlacement.ExpertsPerRank<TRouting>(ranks);
        // The chance that none of the top-k is among a rank's experts.
        double none = 1;
        for (int k = 0; k < TRouting.TopK; k++)
            none *= (double)(TRouting.Experts - perRank - k) / (TRouting.Experts - k);
        double rows = tokens * ranks * (1 - none), choices = output == ExpertOutput.RankRows ? rows : (double)tokens * TRouting.TopK;
        double input = tokens * TRouting.HiddenSize * 2.0, payload = TRouting.HiddenSize * TRouting.ElementBytes, result = TRouting.HiddenSize * TRouting.CombineElementBytes;
        return input + (rows * TRouting.RowBytes * 2) + (choices * payload) + (choices * result) + (rows * result * 2) + (tokens * result);
    }

    /// <summary>The median and the 99th percentile of each kernel of a round, the slowest rank's, alone on the device. Microseconds.</summary>
    private static (double[] Medians, double[] Tails) Phases<TRouting>(ExpertJob<TRouting> job, DeviceStream stream, bool cold)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int ranks = job.Ranks.Length, rounds = job.Device is CudaDevice ? Math.Max(40, Samples / Routings) : 5;
        using DeviceBuffer? flush = cold ? job.Device.Allocate(256L << 20) : null;
        var times = new List<double>[4, ranks];
        var marks = new DeviceEvent[4, ranks, 2];
        for (int phase = 0; phase < 4; phase++)
        {
            for (int rank = 0; rank < ranks; rank++)
            {
                times[phase, rank] = [];
                (marks[phase, rank, 0], marks[phase, rank, 1]) = (job.Device.CreateEvent(timing: true), job.Device.CreateEvent(timing: true));
            }
        }

        for (int round = 0; round < rounds; round++)
        {
            for (int phase = 0; phase < 4; phase++)
            {
                for (int rank = 0; rank < ranks; rank++)
                {
                    if (flush is not null)
                        stream.Fill(flush.Address, (byte)round, flush.Length);
                    stream.Record(marks[phase, rank, 0]);
                    Launch(job, phase, rank, round, stream);
                    stream.Record(marks[phase, rank, 1]);
                }
            }

            stream.Synchronize();
            for (int phase = 0; phase < 4; phase++)
            {
                for (int rank = 0; rank < ranks && round >= rounds / 5; rank++)
                    times[phase, rank].Add(marks[phase, rank, 1].Since(marks[phase, rank, 0]).TotalMicroseconds);
            }
        }

        foreach (DeviceEvent mark in marks)
            mark.Dispose();
        double[] Slowest(double percentile) =>
            [.. Enumerable.Range(0, 4).Select(phase => Enumerable.Range(0, ranks).Max(rank => Statistics.Percentile([.. times[phase, rank]], percentile)))];
        return (Slowest(0.5), Slowest(0.99));
    }

    private static void Launch<TRouting>(ExpertJob<TRouting> job, int phase, int rank, int round, DeviceStream stream)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        switch (phase)
        {
            case 0: job.DispatchSend(rank, round, stream); break;
            case 1: job.DispatchReceive(rank, stream); break;
            case 2: job.CombineSend(rank, stream); break;
            default: job.CombineReceive(rank, stream); break;
        }
    }

    /// <summary>Microseconds of a round inside a replayed graph of 50, the median of replays and their 99th percentile; 2000 rounds and more.</summary>
    private static (double Median, double Tail) Graph<TRouting>(ExpertJob<TRouting> job, DeviceStream stream, Action<ExpertJob<TRouting>, DeviceStream> capture)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        stream.BeginCapture();
        capture(job, stream);
        using DeviceGraph graph = stream.EndCapture();
        var times = new List<double>();
        using DeviceEvent start = job.Device.CreateEvent(timing: true), end = job.Device.CreateEvent(timing: true);
        for (int replay = 0; replay < (Samples / Routings) + 5; replay++)
        {
            stream.Record(start);
            graph.Replay(stream);
            stream.Record(end);
            stream.Synchronize();
            if (replay >= 5)
                times.Add(end.Since(start).TotalMicroseconds / Routings);
        }

        return (Statistics.Median(times), Statistics.Percentile([.. times], 0.99));
    }

    private static void Lockstep<TRouting>(ExpertJob<TRouting> job, DeviceStream stream)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        for (int round = 0; round < Routings; round++)
            job.Lockstep(round, stream);
    }

    /// <summary>A stream a rank: kernels of all ranks wait for one another, so they must fit on the device together.</summary>
    private static void Together<TRouting>(ExpertJob<TRouting> job, DeviceStream stream)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        DeviceStream[] streams = [.. job.Ranks.Select(_ => job.Device.CreateStream())];
        using DeviceEvent fork = job.Device.CreateEvent();
        DeviceEvent[] joins = [.. job.Ranks.Select(_ => job.Device.CreateEvent())];
        stream.Record(fork);
        for (int rank = 0; rank < streams.Length; rank++)
            streams[rank].Wait(fork);
        for (int round = 0; round < Routings; round++)
        {
            for (int phase = 0; phase < 4; phase++)
            {
                for (int rank = 0; rank < streams.Length; rank++)
                    Launch(job, phase, rank, round, streams[rank]);
            }
        }

        for (int rank = 0; rank < streams.Length; rank++)
        {
            streams[rank].Record(joins[rank]);
            stream.Wait(joins[rank]);
        }

        foreach (DeviceStream used in streams)
            used.Dispose();
        foreach (DeviceEvent used in joins)
            used.Dispose();
    }
}
