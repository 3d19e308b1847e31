using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Ranks that die, come late or come back; choices and lines that cannot be.</summary>
public abstract class FaultTests
{
    private const int Dead = 2;
    private static readonly ExpertGroup s_group = ExpertGroup.Of<Bf16TopTwo>(4, 4, 8, 1);

    protected abstract KernelDevice Device { get; }

    /// <summary>One of four dies before it has told anyone that its rows are there: the others name it, end the round without it, and go on masked.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADeadRankIsNamedAndTheOthersGoOn(bool isGone)
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        var random = new Random(1);
        harness.RunAndCheck(Round(random), false, false);
        RoundWithoutTheDead(harness, random);
        foreach (ExpertRank<Bf16TopTwo> rank in Survivors(harness))
        {
            var timeout = Assert.Throws<ExpertTimeoutException>(() => rank.ReadReport());
            Assert.All(timeout.Missing, missing => Assert.Equal((Dead, 8, 4, 2u), (missing.Rank, missing.FirstExpert, missing.Experts, missing.Epoch)));
            Assert.Equal([ExpertPhase.DispatchReceive, ExpertPhase.CombineReceive], timeout.Missing.Select(static missing => missing.Phase));
            Assert.Contains("Rank 2 (experts 8 to 11) sent no rows in round 2", timeout.Message, StringComparison.Ordinal);
            rank.Mask(Dead, isGone);
        }

        for (int round = 0; round < 4; round++)
            harness.RunAndCheck(Round(random, masked: true), false, round % 2 == 1, IsSurvivor);
    }

    /// <summary>It was only slow: its rows and results of the old round land while the others are two rounds on, and nobody reads them.</summary>
    [Fact]
    public void LateStoresOfAnOldRoundAreNotRead()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        var random = new Random(2);
        harness.RunAndCheck(Round(random), false, false);
        ExpertRound<Bf16TopTwo> missed = RoundWithoutTheDead(harness, random);
        foreach (ExpertRank<Bf16TopTwo> rank in Survivors(harness))
        {
            Assert.Throws<ExpertTimeoutException>(() => rank.ReadReport());
            rank.Mask(Dead, isGone: false);
        }

        harness.RunAndCheck(Round(random, masked: true), false, false, IsSurvivor);
        ExpertRank<Bf16TopTwo> late = harness.Ranks[Dead];
        int step = 0;
        // Its dispatch lands behind the others' dispatch of round 4, its results behind their results.
        harness.RunAndCheck(Round(random, masked: true), false, false, IsSurvivor, () =>
        {
            if (step++ == 0)
            {
                harness.DispatchSend(late, missed, false);
                harness.DispatchReceive(late);
            }
            else
            {
                harness.CombineSend(late, missed);
            }
        });
        Assert.Equal(2, step);
        // The others gave up on its rows, so they owe it nothing: not what lies in its combine region from other rounds either.
        harness.CheckCombined(late, missed, harness.CombineReceive(late, false, out _), null, [.. Survivors(harness).Select(static rank => rank.Rank)]);
        Assert.Equal([0, 1, 3], Assert.Throws<ExpertTimeoutException>(() => late.ReadReport()).Missing.Select(static missing => missing.Rank));
    }

    [Fact]
    public void ARankThatOwesTwoRoundsCannotBeMaskedAsLate()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        var random = new Random(3);
        RoundWithoutTheDead(harness, random);
        RoundWithoutTheDead(harness, random);
        Assert.Contains("owes the results of 2 rounds", Assert.Throws<InvalidOperationException>(() => harness.Ranks[0].Mask(Dead, isGone: false)).Message, StringComparison.Ordinal);
        harness.Ranks[0].Mask(Dead, isGone: true);
    }

    [Fact]
    public void ARankComesBackWithNewMemory()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        var random = new Random(4);
        harness.RunAndCheck(Round(random), false, false);
        RoundWithoutTheDead(harness, random);
        foreach (ExpertRank<Bf16TopTwo> rank in Survivors(harness))
        {
            Assert.Throws<ExpertTimeoutException>(() => rank.ReadReport());
            rank.Mask(Dead, isGone: false);
        }

        harness.RunAndCheck(Round(random, masked: true), false, false, IsSurvivor);
        ExpertRank<Bf16TopTwo> back = harness.Replace(kernels, Dead);
        foreach (ExpertRank<Bf16TopTwo> rank in Survivors(harness))
        {
            back.Connect(rank.Rank, rank.Addresses);
            rank.Admit(Dead, back.Addresses, isDrained: true);
        }

        back.Join(harness.Ranks[0].Epoch);
        for (int round = 0; round < 4; round++)
            harness.RunAndCheck(Round(random), false, false);
        Assert.All(harness.Ranks, static rank => Assert.Equal(8u, rank.Epoch));
    }

    [Fact]
    public void ExpertsThatDoNotExistAreCountedAndSentNowhere()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        ExpertRound<Bf16TopTwo> round = Round(new Random(5));
        round.TopK[1][0] = 16;
        round.TopK[1][3] = -2;
        round.TopK[1][5] = int.MaxValue;
        Run(harness, round, []);
        Run(harness, Round(new Random(7)), []);
        // Of both rounds, and once.
        ExpertRoundReport report = harness.Ranks[1].ReadReport(), again = harness.Ranks[1].ReadReport(), other = harness.Ranks[0].ReadReport();
        Assert.Equal([(0, 3), (0, 0), (0, 0)], new[] { report, again, other }.Select(static one => (one.Dropped, one.Invalid)));
    }

    [Fact]
    public void ALineOfAnotherRoundIsRefusedByName()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        ExpertRound<Bf16TopTwo> round = Round(new Random(6));
        foreach (ExpertRank<Bf16TopTwo> rank in harness.Ranks)
            harness.DispatchSend(rank, round, false);
        // The slot of rank 3 for round 1 at rank 0.
        harness.Ranks[0].Window.Write(BitConverter.GetBytes(7), ExpertBuffers.SlotOffset<Bf16TopTwo>(s_group, 1, 0, 3));
        harness.DispatchReceive(harness.Ranks[0]);
        Assert.Contains("Rank 3 sent a line of another round", Assert.Throws<PlanException>(() => harness.Ranks[0].ReadReport()).Message, StringComparison.Ordinal);
    }

    /// <summary>Counts that would reach past the output, and a place for results past the source's region: kernels would write there.</summary>
    [Theory]
    [InlineData(8, 1 << 20)]
    [InlineData(12, 9)]
    [InlineData(16, 1 << 30)]
    [InlineData(16, -1)]
    public void ALineThatReachesPastMemoryIsRefusedByName(int offset, int value)
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        ExpertRound<Bf16TopTwo> round = Round(new Random(8));
        foreach (ExpertRank<Bf16TopTwo> rank in harness.Ranks)
            harness.DispatchSend(rank, round, false);
        harness.Ranks[0].Window.Write(BitConverter.GetBytes(value), ExpertBuffers.SlotOffset<Bf16TopTwo>(s_group, 1, 0, 3) + offset);
        harness.DispatchReceive(harness.Ranks[0]);
        var others = new ExpertRound<Bf16TopTwo>(s_group, [.. round.TopK.Select(static (choices, rank) => rank == 3 ? [] : choices)], new Random(8));
        Assert.Equal(others.Output(0, ExpertOutput.ExpertContiguous).Length, harness.RowsOf(0));
        Assert.Contains("Rank 3 sent a line", Assert.Throws<PlanException>(() => harness.Ranks[0].ReadReport()).Message, StringComparison.Ordinal);
    }

    /// <summary>One count more than the line has rows, and one less of another expert: the sum is right, and kernels would write behind the source's part.</summary>
    [Theory]
    [InlineData(8)]
    [InlineData(5)]
    public void ACountAboveTheRowsIsRefusedByName(int tokens)
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        var random = new Random(11);
        var round = new ExpertRound<Bf16TopTwo>(s_group, [.. Enumerable.Range(0, s_group.Ranks).Select(_ => RoutingChoices.Of<Bf16TopTwo>(random, tokens, RoutingStyle.AllToOne))], random);
        foreach (ExpertRank<Bf16TopTwo> rank in harness.Ranks)
            harness.DispatchSend(rank, round, false);
        long counts = ExpertBuffers.SlotOffset<Bf16TopTwo>(s_group, 1, 0, 3) + ExpertRankHeader.SizeInBytes;
        harness.Ranks[0].Window.Write(BitConverter.GetBytes(tokens + 1), counts);
        harness.Ranks[0].Window.Write(BitConverter.GetBytes(tokens - 1), counts + 4);
        harness.DispatchReceive(harness.Ranks[0]);
        harness.CheckDispatched(harness.Ranks[0], round.Without(3));
        Assert.Contains("Rank 3 sent a line", Assert.Throws<PlanException>(() => harness.Ranks[0].ReadReport()).Message, StringComparison.Ordinal);
    }

    /// <summary>Ranks that gave up on another, and begin anew at a round that has the same words: nobody is missing there.</summary>
    [Fact]
    public void RanksThatRanJoinWithoutWhatTheyGaveUpOn()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        var random = new Random(12);
        harness.RunAndCheck(Round(random), false, false);
        RoundWithoutTheDead(harness, random);
        foreach (ExpertRank<Bf16TopTwo> rank in Survivors(harness))
            Assert.Throws<ExpertTimeoutException>(() => rank.ReadReport());
        foreach (ExpertRank<Bf16TopTwo> rank in harness.Ranks)
            rank.Join(4);
        harness.RunAndCheck(Round(random), false, false);
        harness.RunAndCheck(Round(random), false, false);
        Assert.All(harness.Ranks, static rank => Assert.Equal(6u, rank.Epoch));
    }

    /// <summary>A rank that missed a round and came again is reported, however many rounds lie between two reports.</summary>
    [Fact]
    public void ARoundThatWasMissedIsReportedLater()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        var random = new Random(9);
        harness.RunAndCheck(Round(random), false, false);
        ExpertRound<Bf16TopTwo> missed = RoundWithoutTheDead(harness, random);
        ExpertRank<Bf16TopTwo> late = harness.Ranks[Dead];
        harness.DispatchSend(late, missed, false);
        harness.DispatchReceive(late);
        harness.CombineSend(late, missed);
        harness.CombineReceive(late, false, out _);
        Run(harness, Round(random), []);
        foreach (ExpertRank<Bf16TopTwo> rank in Survivors(harness))
        {
            var timeout = Assert.Throws<ExpertTimeoutException>(() => rank.ReadReport());
            Assert.All(timeout.Missing, static missing => Assert.Equal((Dead, 2u), (missing.Rank, missing.Epoch)));
            Assert.Equal((4u, 3u), (rank.Epoch, rank.ReadReport().Epoch));
        }
    }

    /// <summary>The next round's tokens may be told before the round under way has ended.</summary>
    [Fact]
    public void TokensOfTheNextRoundDoNotChangeThisOne()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var harness = Harness(kernels);
        int step = 0;
        harness.RunAndCheck(Round(new Random(10)), false, false, between: () =>
        {
            if (step++ == 1)
                Assert.All(harness.Ranks, rank => rank.SetTokens(Device.DefaultStream, 1));
        });
        Assert.Equal(2, step);
    }

    [Fact]
    public void NothingIsLaunchedWithoutTheOthersOrWithTheWrongBuffers()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        using var alone = new ExpertHarness<Bf16TopTwo>(kernels, s_group, new ExpertRankOptions(), connect: false);
        ExpertRank<Bf16TopTwo> rank = alone.Ranks[0];
        using DeviceBuffer small = Device.Allocate(16);
        Assert.Contains("does not know rank 1 of 4", Assert.Throws<InvalidOperationException>(() => rank.CombineSend(Device.DefaultStream, small)).Message, StringComparison.Ordinal);
        foreach (ExpertRank<Bf16TopTwo> peer in alone.Ranks)
            rank.Connect(peer.Rank, peer.Addresses);
        Assert.Contains("The buffer of the results has 16 bytes", Assert.Throws<PlanException>(() => rank.CombineSend(Device.DefaultStream, small)).Message, StringComparison.Ordinal);
        Assert.Contains("9 tokens are outside [0, 8]", Assert.Throws<PlanException>(() => rank.SetTokens(Device.DefaultStream, 9)).Message, StringComparison.Ordinal);
        Assert.Contains("Rank 4 is outside", Assert.Throws<PlanException>(() => rank.Connect(4, rank.Addresses)).Message, StringComparison.Ordinal);
        using var exact = new ExpertKernels<Fp8Exact>(Device);
        Assert.Contains("Fp8Exact has ExactCombine", Assert.Throws<PlanException>(
            () => new ExpertRank<Fp8Exact>(exact, ExpertGroup.Of<Fp8Exact>(1, 1, 8, 1), 0, new ExpertRankOptions { Output = ExpertOutput.RankRows })).Message, StringComparison.Ordinal);
        Assert.Contains("cannot mask itself", Assert.Throws<PlanException>(() => rank.Mask(0, true)).Message, StringComparison.Ordinal);
    }

    /// <summary>True for the kernels of many tokens.</summary>
    protected virtual bool AlwaysMany => false;

    private ExpertHarness<Bf16TopTwo> Harness(ExpertKernels<Bf16TopTwo> kernels) =>
        new(kernels, s_group, new ExpertRankOptions { Deadline = TimeSpan.FromMilliseconds(20), AlwaysMany = AlwaysMany });

    private static bool IsSurvivor(int rank) => rank != Dead;

    private static ExpertRank<Bf16TopTwo>[] Survivors(ExpertHarness<Bf16TopTwo> harness) => [.. harness.Ranks.Where(static rank => IsSurvivor(rank.Rank))];

    private static ExpertRound<Bf16TopTwo> Round(Random random, bool masked = false) => new(
        s_group,
        [.. Enumerable.Range(0, s_group.Ranks).Select(rank => RoutingChoices.Of<Bf16TopTwo>(random, masked && rank == Dead ? 0 : 8, RoutingStyle.Uniform))],
        random,
        masked: masked ? [Dead] : []);

    /// <summary>A round in which the dead rank does nothing; what it would have sent is returned.</summary>
    private static ExpertRound<Bf16TopTwo> RoundWithoutTheDead(ExpertHarness<Bf16TopTwo> harness, Random random)
    {
        ExpertRound<Bf16TopTwo> round = Round(random);
        // The others receive nothing from it, and it took their tokens.
        var seen = new ExpertRound<Bf16TopTwo>(s_group, [.. round.TopK.Select((choices, rank) => rank == Dead ? [] : choices)], new Random(9));
        Run(harness, seen, [Dead]);
        return new ExpertRound<Bf16TopTwo>(s_group, seen.TopK.Select((choices, rank) => rank == Dead ? round.TopK[rank] : choices).ToArray(), random);
    }

    private static void Run(ExpertHarness<Bf16TopTwo> harness, ExpertRound<Bf16TopTwo> round, int[] absent)
    {
        ExpertRank<Bf16TopTwo>[] ranks = [.. harness.Ranks.Where(rank => !absent.Contains(rank.Rank))];
        foreach (ExpertRank<Bf16TopTwo> rank in ranks)
            harness.DispatchSend(rank, round, false);
        foreach (ExpertRank<Bf16TopTwo> rank in ranks)
        {
            harness.DispatchReceive(rank);
            harness.CheckDispatched(rank, round);
        }

        foreach (ExpertRank<Bf16TopTwo> rank in ranks)
            harness.CombineSend(rank, round);
        foreach (ExpertRank<Bf16TopTwo> rank in ranks)
            harness.CheckCombined(rank, round, harness.CombineReceive(rank, false, out _), null, absent);
    }
}

public sealed class CpuFaultTests : FaultTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaFaultTests : FaultTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}

public sealed class CpuManyTokensFaultTests : FaultTests
{
    protected override KernelDevice Device => TestDevices.Cpu;

    protected override bool AlwaysMany => true;
}
