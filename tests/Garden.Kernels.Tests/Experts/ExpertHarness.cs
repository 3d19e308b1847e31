using System.Runtime.InteropServices;
using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;
using Garden.Testing;

namespace Garden.Kernels.Tests.Experts;

/// <summary>All ranks of a group on one device: rounds in lockstep, every byte of every output held against the model.</summary>
public sealed class ExpertHarness<TRouting> : IDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly KernelDevice _device;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly ExpertRows[] _rows;

    public ExpertHarness(ExpertKernels<TRouting> kernels, ExpertGroup group, ExpertRankOptions options, bool connect = true)
    {
        _device = kernels.Device;
        Group = group;
        Ranks = [.. Enumerable.Range(0, group.Ranks).Select(rank => new ExpertRank<TRouting>(kernels, group, rank, options))];
        _rows = [.. Ranks.Select(ExpertRows.Allocate)];
        foreach (ExpertRank<TRouting> rank in Ranks)
        {
            rank.Window.Write(TestBytes.Poisoned(rank.Memory.CountersOffset));
            rank.CombineRegion.Write(TestBytes.Poisoned(rank.CombineRegion.Length));
            foreach (ExpertRank<TRouting> peer in Ranks.Where(_ => connect))
                rank.Connect(peer.Rank, peer.Addresses);
        }
    }

    public ExpertGroup Group { get; }

    public ExpertRank<TRouting>[] Ranks { get; }

    /// <summary>The ranks' networks, where they are on several nodes.</summary>
    public ExpertExchange<TRouting>[]? Exchanges { get; set; }

    private ExpertOutput Mode => Ranks[0].Options.Output;

    private static int CombinedRow => TRouting.HiddenSize * TRouting.CombineElementBytes;

    /// <summary>All sends, then all receives, so that nothing waits; ranks that are not alive do nothing.</summary>
    public void RunAndCheck(ExpertRound<TRouting> round, bool scaled, bool accumulate, Func<int, bool>? alive = null, Action? between = null)
    {
        ExpertRank<TRouting>[] ranks = [.. Ranks.Where(rank => alive?.Invoke(rank.Rank) ?? true)];
        foreach (ExpertRank<TRouting> rank in ranks)
            DispatchSend(rank, round, scaled);
        between?.Invoke();
        foreach (ExpertRank<TRouting> rank in ranks)
        {
            Exchanges?[rank.Rank].WaitForRows(rank.Epoch, Deadline.Default.Left, TestContext.Current.CancellationToken);
            DispatchReceive(rank);
        }

        foreach (ExpertRank<TRouting> rank in ranks)
            CheckDispatched(rank, round);
        foreach (ExpertRank<TRouting> rank in ranks)
            CombineSend(rank, round);
        between?.Invoke();
        foreach (ExpertRank<TRouting> rank in ranks)
        {
            Exchanges?[rank.Rank].WaitForResults(rank.Epoch, Deadline.Default.Left, TestContext.Current.CancellationToken);
            CheckCombined(rank, round, CombineReceive(rank, accumulate, out byte[] before), accumulate ? before : null);
        }

        foreach (ExpertRank<TRouting> rank in ranks)
        {
            ExpertRoundReport report = rank.ReadReport();
            Assert.Equal((round.Dropped(rank.Rank), 0), (report.Dropped, report.Invalid));
        }

        Forget();
    }

    /// <summary>Frees the inputs of rounds that have ended.</summary>
    public void Forget()
    {
        foreach (DeviceBuffer buffer in _buffers)
            buffer.Dispose();
        _buffers.Clear();
    }

    /// <summary>A rank's second life: new memory, nothing connected.</summary>
    public ExpertRank<TRouting> Replace(ExpertKernels<TRouting> kernels, int rank)
    {
        ExpertRankOptions options = Ranks[rank].Options;
        Ranks[rank].Dispose();
        return Ranks[rank] = new ExpertRank<TRouting>(kernels, Group, rank, options);
    }

    public void DispatchSend(ExpertRank<TRouting> rank, ExpertRound<TRouting> round, bool scaled)
    {
        ExpertTokens tokens = Tokens(rank, round, scaled);
        rank.DispatchSend(_device.DefaultStream, tokens);
    }

    public void DispatchReceive(ExpertRank<TRouting> rank) => rank.DispatchReceive(_device.DefaultStream, PoisonedRows(rank));

    /// <summary>Both halves in one launch.</summary>
    public void Dispatch(ExpertRank<TRouting> rank, ExpertRound<TRouting> round, bool scaled)
    {
        ExpertTokens tokens = Tokens(rank, round, scaled);
        rank.Dispatch(_device.DefaultStream, tokens, PoisonedRows(rank));
    }

    /// <summary>The inputs of a round; how many there are is told on the stream.</summary>
    public ExpertTokens Tokens(ExpertRank<TRouting> rank, ExpertRound<TRouting> round, bool scaled)
    {
        int number = rank.Rank;
        bool quantize = TRouting.Element == ExpertElement.Float8E4M3 && !scaled;
        rank.SetTokens(_device.DefaultStream, round.Tokens(number));
        return new ExpertTokens(
            Upload(round.Inputs[number], (long)Group.Tokens * TRouting.HiddenSize * (quantize ? 2 : TRouting.ElementBytes)),
            Upload(MemoryMarshal.AsBytes(round.TopK[number].AsSpan()), 4L * Group.Tokens * TRouting.TopK),
            Upload(MemoryMarshal.AsBytes(round.Weights[number].AsSpan()), 4L * Group.Tokens * TRouting.TopK),
            scaled && TRouting.ScaleCount != 0 ? Upload(MemoryMarshal.AsBytes(round.Scales[number].AsSpan()), 4L * Group.Tokens * TRouting.ScaleCount) : null);
    }

    /// <summary>What a rank's dispatch delivers into.</summary>
    public ExpertRows RowsAt(int rank) => _rows[rank];

    /// <summary>Rows that a rank's last dispatch delivered, by expert and with padding.</summary>
    public int RowsOf(int rank) => MemoryMarshal.Cast<byte, int>(TestBytes.Download(_rows[rank].FirstRows).AsSpan())[ExpertPlacement.LocalExperts<TRouting>(Group.Ranks, rank)];

    public void CheckDispatched(ExpertRank<TRouting> rank, ExpertRound<TRouting> round)
    {
        (int Source, int Token, int Place)?[] expected = round.Output(rank.Rank, Mode);
        ExpertRows rows = _rows[rank.Rank];
        Assert.True(expected.Length <= rows.Capacity);
        int rowBytes = TRouting.HiddenSize * TRouting.ElementBytes, weights = Mode == ExpertOutput.RankRows ? TRouting.TopK : 1;
        byte[] payload = TestBytes.Poisoned(rows.Rows.Length), scales = TestBytes.Poisoned(rows.Scales?.Length ?? 0), weight = TestBytes.Poisoned(rows.Weights.Length);
        byte[] experts = TestBytes.Poisoned(rows.Experts?.Length ?? 0);
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] is not { } row)
                continue;
            (byte[] bytes, float[] factors) = round.Row(row.Source, row.Token);
            bytes.CopyTo(payload, (long)i * rowBytes);
            MemoryMarshal.AsBytes(factors.AsSpan()).CopyTo(scales.AsSpan(i * factors.Length * 4));
            if (row.Place >= 0)
            {
                MemoryMarshal.Write(weight.AsSpan(i * 4), round.Weight(row.Source, row.Token, row.Place));
                continue;
            }

            Span<int> ids = MemoryMarshal.Cast<byte, int>(experts.AsSpan(i * 4 * weights, 4 * weights));
            Span<float> factor = MemoryMarshal.Cast<byte, float>(weight.AsSpan(i * 4 * weights, 4 * weights));
            ids.Fill(-1);
            factor.Clear();
            foreach ((int expert, int place) in round.Choices(row.Source, row.Token).Where(choice => round.RankOf(choice.Expert) == rank.Rank))
            {
                ids[place] = expert - ExpertPlacement.FirstExpert<TRouting>(Group.Ranks, rank.Rank);
                factor[place] = round.Weight(row.Source, row.Token, place);
            }
        }

        TestBytes.Same(payload, TestBytes.Download(rows.Rows), $"payload of rank {rank.Rank}");
        if (rows.Scales is not null)
            TestBytes.Same(scales, TestBytes.Download(rows.Scales), $"scales of rank {rank.Rank}");
        TestBytes.Same(weight, TestBytes.Download(rows.Weights), $"weights of rank {rank.Rank}");
        if (rows.Experts is not null)
            TestBytes.Same(experts, TestBytes.Download(rows.Experts), $"experts of rank {rank.Rank}");
        CheckCounts(rank, round, expected);
    }

    public void CombineSend(ExpertRank<TRouting> rank, ExpertRound<TRouting> round) => rank.CombineSend(_device.DefaultStream, Results(rank, round));

    /// <summary>The whole output buffer after the combine.</summary>
    public byte[] CombineReceive(ExpertRank<TRouting> rank, bool accumulate, out byte[] before)
    {
        using DeviceBuffer combined = Before(rank, out before);
        rank.CombineReceive(_device.DefaultStream, combined, accumulate);
        return TestBytes.Download(combined);
    }

    /// <summary>Both halves in one launch.</summary>
    public byte[] Combine(ExpertRank<TRouting> rank, ExpertRound<TRouting> round, bool accumulate, out byte[] before)
    {
        using DeviceBuffer combined = Before(rank, out before);
        rank.Combine(_device.DefaultStream, Results(rank, round), combined, accumulate);
        return TestBytes.Download(combined);
    }

    /// <summary>What the experts of a rank made of a round's rows.</summary>
    public DeviceBuffer Results(ExpertRank<TRouting> rank, ExpertRound<TRouting> round)
    {
        byte[] results = TestBytes.Poisoned(_rows[rank.Rank].Capacity * CombinedRow);
        (int Source, int Token, int Place)?[] rows = round.Output(rank.Rank, Mode);
        for (int i = 0; i < rows.Length; i++)
        {
            if (rows[i] is { } row)
                ExpertRound<TRouting>.Result(row, rank.Rank).CopyTo(results, (long)i * CombinedRow);
        }

        return Upload(results, results.Length);
    }

    public void CheckCombined(ExpertRank<TRouting> rank, ExpertRound<TRouting> round, byte[] after, byte[]? before, params int[] absent)
    {
        byte[] expected = round.Combined(rank.Rank, Mode, before, absent);
        TestBytes.Same(expected, after.AsSpan(0, expected.Length), $"combined tokens of rank {rank.Rank}");
    }

    public void Dispose()
    {
        foreach (ExpertRank<TRouting> rank in Ranks)
            rank.Dispose();
        foreach (ExpertRows rows in _rows)
            rows.Dispose();
        Forget();
    }

    private void CheckCounts(ExpertRank<TRouting> rank, ExpertRound<TRouting> round, (int Source, int Token, int Place)?[] expected)
    {
        Span<int> first = MemoryMarshal.Cast<byte, int>(TestBytes.Download(_rows[rank.Rank].FirstRows).AsSpan());
        Span<int> counts = MemoryMarshal.Cast<byte, int>(TestBytes.Download(_rows[rank.Rank].ExpertCounts).AsSpan());
        if (Mode == ExpertOutput.RankRows)
        {
            for (int source = 0; source <= Group.Ranks; source++)
                Assert.Equal(expected.Count(row => row!.Value.Source < source), first[source]);
            return;
        }

        int begin = ExpertPlacement.FirstExpert<TRouting>(Group.Ranks, rank.Rank), experts = ExpertPlacement.LocalExperts<TRouting>(Group.Ranks, rank.Rank);
        int next = 0;
        for (int expert = 0; expert < experts; expert++)
        {
            int rows = Enumerable.Range(0, Group.Ranks).Sum(source => round.Received(rank.Rank).Where(row => row.Source == source)
                .Sum(row => round.Chosen(source, row.Token).Count(choice => choice.Expert == begin + expert)));
            Assert.Equal(rows, counts[expert]);
            if (Mode == ExpertOutput.ExpertContiguous)
                Assert.Equal(next, first[expert]);
            next += (rows + Group.Padding - 1) / Group.Padding * Group.Padding;
        }

        if (Mode == ExpertOutput.ExpertContiguous)
            Assert.Equal(next, first[experts]);
    }

    private ExpertRows PoisonedRows(ExpertRank<TRouting> rank)
    {
        ExpertRows rows = _rows[rank.Rank];
        foreach (DeviceBuffer? buffer in new[] { rows.Rows, rows.Scales, rows.Weights, rows.Experts, rows.FirstRows, rows.ExpertCounts })
            buffer?.Write(TestBytes.Poisoned(buffer.Length));
        return rows;
    }

    private DeviceBuffer Before(ExpertRank<TRouting> rank, out byte[] before)
    {
        before = new byte[Group.Tokens * CombinedRow];
        // Numbers of the output's type that are no NaN, whatever the type.
        new Random(rank.Rank).NextBytes(before);
        for (int i = TRouting.CombineElementBytes - 1; i < before.Length; i += TRouting.CombineElementBytes)
            before[i] = (byte)((before[i] & 0x80) | 0x3F);
        return TestBytes.Upload(_device, before);
    }

    private DeviceBuffer Upload(ReadOnlySpan<byte> bytes, long length)
    {
        byte[] padded = TestBytes.Poisoned(length);
        bytes.CopyTo(padded);
        DeviceBuffer buffer = TestBytes.Upload(_device, padded);
        _buffers.Add(buffer);
        return buffer;
    }
}
