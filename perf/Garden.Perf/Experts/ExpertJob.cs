using System.Runtime.InteropServices;
using Garden.Experts;
using Garden.Kernels;
using Garden.Kernels.Experts;

namespace Garden.Perf.Experts;

/// <summary>Ranks on one device, with inputs for many rounds: every round of a graph has a routing of its own.</summary>
internal sealed class ExpertJob<TRouting> : IDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly List<IDisposable> _owned = [];
    private readonly ExpertTokens[][] _tokens;
    private readonly ExpertRows[] _rows;
    private readonly DeviceBuffer[] _results;
    private readonly DeviceBuffer[] _combined;

    public ExpertJob(KernelDevice device, int ranks, int tokens, ExpertRankOptions options, int routings, bool zipf, bool traced = false)
    {
        Device = device;
        Kernels = Own(new ExpertKernels<TRouting>(device, fused: false, traced));
        Group = ExpertGroup.Of<TRouting>(ranks, ranks, tokens, 1);
        Ranks = [.. Enumerable.Range(0, ranks).Select(rank => Own(new ExpertRank<TRouting>(Kernels, Group, rank, options)))];
        foreach (ExpertRank<TRouting> rank in Ranks)
        {
            foreach (ExpertRank<TRouting> peer in Ranks)
                rank.Connect(peer.Rank, peer.Addresses);
            rank.SetTokens(device.DefaultStream, tokens);
        }

        var random = new Random(1);
        _tokens = new ExpertTokens[ranks][];
        for (int rank = 0; rank < ranks; rank++)
        {
            DeviceBuffer rows = Upload(Activations(random, (long)tokens * TRouting.HiddenSize));
            _tokens[rank] = new ExpertTokens[routings];
            for (int routing = 0; routing < routings; routing++)
            {
                int[] choices = ExpertChoices.Of<TRouting>(random, tokens, zipf);
                RemoteRows += ExpertChoices.RemoteRows<TRouting>(choices, ranks, rank);
                float[] weights = [.. choices.Select(_ => random.NextSingle())];
                _tokens[rank][routing] = new ExpertTokens(rows, Upload(MemoryMarshal.AsBytes(choices.AsSpan())), Upload(MemoryMarshal.AsBytes(weights.AsSpan())));
            }
        }

        _rows = [.. Ranks.Select(rank => Own(ExpertRows.Allocate(rank)))];
        _results = [.. _rows.Select(rows => Own(device.Allocate(rows.Capacity * TRouting.HiddenSize * TRouting.CombineElementBytes)))];
        foreach (DeviceBuffer results in _results)
            device.DefaultStream.Fill(results.Address, 0x3C, results.Length);
        _combined = [.. Ranks.Select(_ => Own(device.Allocate((long)tokens * TRouting.HiddenSize * TRouting.CombineElementBytes)))];
        device.DefaultStream.Synchronize();
        RemoteRowsPerToken = (double)RemoteRows / ((long)ranks * routings * tokens);
    }

    public KernelDevice Device { get; }

    public ExpertKernels<TRouting> Kernels { get; }

    public ExpertGroup Group { get; }

    public ExpertRank<TRouting>[] Ranks { get; }

    /// <summary>Rows of a token that cross to another rank, on average.</summary>
    public double RemoteRowsPerToken { get; }

    private long RemoteRows { get; }

    public void DispatchSend(int rank, int round, DeviceStream stream) => Ranks[rank].DispatchSend(stream, in _tokens[rank][round % _tokens[rank].Length]);

    public void DispatchReceive(int rank, DeviceStream stream) => Ranks[rank].DispatchReceive(stream, _rows[rank]);

    public void CombineSend(int rank, DeviceStream stream) => Ranks[rank].CombineSend(stream, _results[rank]);

    public void CombineReceive(int rank, DeviceStream stream) => Ranks[rank].CombineReceive(stream, _combined[rank]);

    /// <summary>One round of every rank on one stream: all sends, then all receives.</summary>
    public void Lockstep(int round, DeviceStream stream)
    {
        for (int rank = 0; rank < Ranks.Length; rank++)
            DispatchSend(rank, round, stream);
        for (int rank = 0; rank < Ranks.Length; rank++)
            DispatchReceive(rank, stream);
        for (int rank = 0; rank < Ranks.Length; rank++)
            CombineSend(rank, stream);
        for (int rank = 0; rank < Ranks.Length; rank++)
            CombineReceive(rank, stream);
    }

    /// <exception cref="ExpertTimeoutException">A rank did not come: the figures are worthless.</exception>
    public void Check()
    {
        Device.Synchronize();
        foreach (ExpertRank<TRouting> rank in Ranks)
            rank.ReadReport();
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
    }

    /// <summary>bfloat16 in (−4, 4): what is quantised on the way for FP8, what travels for BF16.</summary>
    private static byte[] Activations(Random random, long elements)
    {
        var bytes = new byte[elements * 2];
        Span<ushort> values = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
        for (int i = 0; i < values.Length; i++)
            values[i] = (ushort)(BitConverter.SingleToUInt32Bits((random.NextSingle() - 0.5f) * 8) >> 16);
        return bytes;
    }

    private DeviceBuffer Upload(ReadOnlySpan<byte> bytes)
    {
        DeviceBuffer buffer = Own(Device.Allocate(bytes.Length));
        buffer.Write(bytes);
        return buffer;
    }

    private T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }
}
