using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;
using Garden.Testing;

namespace Garden.Kernels.Tests.Experts;

/// <content>Ranks of other nodes that die, come back, or come late.</content>
public abstract partial class NetworkTests
{
    private const int Dead = 2;

    /// <summary>One of four ranks dies when the others have sent their rows: they name it at once, go on without it, and take it in again.</summary>
    [Fact]
    public async Task ADeadNodeIsNamedTheOthersGoOnAndItComesBack()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(_device);
        await using var job = await NetworkJob<Bf16TopTwo>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16TopTwo>(4, 1, 8, 1));
        var random = new Random(4);
        int[][] Choices(bool dead) => [.. Enumerable.Range(0, 4).Select(rank => RoutingChoices.Of<Bf16TopTwo>(random, dead && rank == Dead ? 0 : 8, RoutingStyle.Uniform))];
        job.Harness.RunAndCheck(new ExpertRound<Bf16TopTwo>(job.Group, Choices(false), random), false, false);
        var round = new ExpertRound<Bf16TopTwo>(job.Group, Choices(true), random);
        ExpertRank<Bf16TopTwo>[] survivors = [.. job.Harness.Ranks.Where(static rank => rank.Rank != Dead)];
        foreach (ExpertRank<Bf16TopTwo> rank in survivors)
            job.Harness.DispatchSend(rank, round, false);
        await job.KillAsync(Dead);
        foreach (ExpertRank<Bf16TopTwo> rank in survivors)
        {
            var timeout = Assert.Throws<ExpertTimeoutException>(() => job.Harness.Exchanges![rank.Rank].WaitForRows(2, Deadline.Default.Left, TestContext.Current.CancellationToken));
            // A survivor may not have come yet either when the death is known.
            Assert.Contains(timeout.Missing, static missing => missing.Rank == Dead && missing.Phase == ExpertPhase.DispatchReceive);
            rank.Mask(Dead, isGone: true);
            job.Harness.Exchanges![rank.Rank].WaitForRows(2, Deadline.Default.Left, TestContext.Current.CancellationToken);
            job.Harness.DispatchReceive(rank);
            job.Harness.CheckDispatched(rank, round);
        }

        foreach (ExpertRank<Bf16TopTwo> rank in survivors)
            job.Harness.CombineSend(rank, round);
        foreach (ExpertRank<Bf16TopTwo> rank in survivors)
        {
            job.Harness.Exchanges![rank.Rank].WaitForResults(2, Deadline.Default.Left, TestContext.Current.CancellationToken);
            job.Harness.CheckCombined(rank, round, job.Harness.CombineReceive(rank, false, out _), null, Dead);
        }

        for (int next = 0; next < 3; next++)
            job.Harness.RunAndCheck(new ExpertRound<Bf16TopTwo>(job.Group, Choices(true), random, masked: [Dead]), false, false, static rank => rank != Dead);

        // Its second life: new memory, a new engine, from the round on that the others begin next.
        await job.ReviveAsync(kernels, Dead, job.Harness.Ranks[0].Epoch);
        for (int next = 0; next < 3; next++)
            job.Harness.RunAndCheck(new ExpertRound<Bf16TopTwo>(job.Group, Choices(false), random), false, false);
        Assert.All(job.Harness.Ranks, static rank => Assert.Equal(9u, rank.Epoch));
    }

    /// <summary>
    /// A rank does nothing for some rounds and then does them, after the others have given it up: nothing of those rounds is taken for another's, and
    /// all are together again without a hand. In the last of them its results of the first land when the others' are to be summed.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task ARankThatComesLateFindsBackAndSoDoesAnotherOneLater(int missed)
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(_device);
        await using var job = await NetworkJob<Bf16TopTwo>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16TopTwo>(3, 1, 8, 1));
        var random = new Random(missed);
        // The second one finds an area that the first has left.
        foreach (int rank in (int[])[2, 0, 1])
            MissAndFindBack(job, rank, missed, random);
    }

    private static void MissAndFindBack(NetworkJob<Bf16TopTwo> job, int lateRank, int missed, Random random)
    {
        ExpertHarness<Bf16TopTwo> harness = job.Harness;
        int[][] Choices() => [.. Enumerable.Range(0, 3).Select(_ => RoutingChoices.Of<Bf16TopTwo>(random, 8, RoutingStyle.Uniform))];
        harness.RunAndCheck(new ExpertRound<Bf16TopTwo>(job.Group, Choices(), random), false, false);
        uint first = harness.Ranks[0].Epoch;
        ExpertRank<Bf16TopTwo> late = harness.Ranks[lateRank];
        ExpertRank<Bf16TopTwo>[] others = [.. harness.Ranks.Where(rank => rank.Rank != lateRank)];
        ExpertRound<Bf16TopTwo>[] rounds = [.. Enumerable.Range(0, missed).Select(_ => new ExpertRound<Bf16TopTwo>(job.Group, Choices(), random))];
        for (int i = 0; i < missed; i++)
        {
            uint epoch = first + (uint)i;
            // What the others see: the late rank sends nothing.
            ExpertRound<Bf16TopTwo> round = rounds[i].Without(lateRank);
            foreach (ExpertRank<Bf16TopTwo> rank in others)
                harness.DispatchSend(rank, round, false);
            foreach (ExpertRank<Bf16TopTwo> rank in others)
            {
                WaitForOthers(job, rank, lateRank, exchange => exchange.WaitForRows(epoch, TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken));
                harness.DispatchReceive(rank);
                harness.CheckDispatched(rank, round);
            }

            foreach (ExpertRank<Bf16TopTwo> rank in others)
                harness.CombineSend(rank, round);
            if (i == missed - 1)
                CatchUp(job, late, rounds, first);
            foreach (ExpertRank<Bf16TopTwo> rank in others)
            {
                WaitForOthers(job, rank, lateRank, exchange => exchange.WaitForResults(epoch, TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken));
                // It has rows of the first round only; its results are in time when that is the last.
                harness.CheckCombined(rank, round, harness.CombineReceive(rank, false, out _), null, missed == 1 ? [] : [lateRank]);
            }
        }

        foreach (ExpertRank<Bf16TopTwo> rank in harness.Ranks)
            Assert.All(Assert.Throws<ExpertTimeoutException>(() => rank.ReadReport()).Missing, missing => Assert.Equal(rank == late, missing.Rank != lateRank));
        // What the others could not tell the late rank is told now, and answered.
        foreach (ExpertRank<Bf16TopTwo> rank in harness.Ranks)
            job.WaitUntilAnswered(rank.Rank);
        foreach (ExpertRank<Bf16TopTwo> rank in harness.Ranks)
            rank.ReadReport();
        for (int round = 0; round < 4; round++)
            harness.RunAndCheck(new ExpertRound<Bf16TopTwo>(job.Group, Choices(), random), false, false);
        Assert.All(harness.Ranks, rank => Assert.Equal(first + (uint)missed + 4, rank.Epoch));
    }

    /// <summary>The late rank's rounds: in the first it has the others' rows, and they do not take its own; in those behind it has nothing of them.</summary>
    private static void CatchUp(NetworkJob<Bf16TopTwo> job, ExpertRank<Bf16TopTwo> late, ExpertRound<Bf16TopTwo>[] rounds, uint first)
    {
        int[] others = [.. Enumerable.Range(0, 3).Where(rank => rank != late.Rank)];
        ExpertExchange<Bf16TopTwo> exchange = job.Harness.Exchanges![late.Rank];
        for (int i = 0; i < rounds.Length; i++)
        {
            uint epoch = first + (uint)i;
            ExpertRound<Bf16TopTwo> round = i == 0 ? rounds[i] : rounds[i].Without(others);
            job.Harness.DispatchSend(late, round, false);
            if (i == 0)
                exchange.WaitForRows(epoch, Deadline.Default.Left, TestContext.Current.CancellationToken);
            job.Harness.DispatchReceive(late);
            job.Harness.CheckDispatched(late, round);
            job.Harness.CombineSend(late, round);
            // Its rows come when the others have given them up: they say so.
            Assert.Equal(others, Assert.Throws<ExpertTimeoutException>(
                () => exchange.WaitForResults(epoch, Deadline.Default.Left, TestContext.Current.CancellationToken)).Missing.Select(static missing => missing.Rank));
            job.Harness.CheckCombined(late, round, job.Harness.CombineReceive(late, false, out _), null, others);
            job.WaitUntilAnswered(late.Rank);
            foreach (int other in others)
                job.Harness.Exchanges[other].WaitForResults(first, Deadline.Default.Left, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits until the late rank is the only one that is missing.</summary>
    private static void WaitForOthers(NetworkJob<Bf16TopTwo> job, ExpertRank<Bf16TopTwo> rank, int late, Action<ExpertExchange<Bf16TopTwo>> wait)
    {
        Deadline deadline = Deadline.Default;
        while (true)
        {
            try
            {
                wait(job.Harness.Exchanges![rank.Rank]);
                return;
            }
            catch (ExpertTimeoutException timeout)
            {
                if (timeout.Missing.All(missing => missing.Rank == late))
                    return;
                Assert.True(deadline.Left > TimeSpan.Zero, timeout.Message);
            }
        }
    }
}
