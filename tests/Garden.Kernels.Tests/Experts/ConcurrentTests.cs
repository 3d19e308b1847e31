using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;
using Garden.Testing;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Ranks that run at the same time, each with an accelerator and a thread of its own: kernels really wait for one another, by flags alone.</summary>
public sealed class ConcurrentTests
{
    private const int Rounds = 12;

    [Theory]
    [InlineData(2, ExpertOutput.ExpertContiguous, 0, false)]
    [InlineData(2, ExpertOutput.ExpertContiguous, 200_000, false)]
    [InlineData(3, ExpertOutput.ExpertSlabs, 50_000, false)]
    [InlineData(2, ExpertOutput.ExpertContiguous, 50_000, true)]
    [InlineData(3, ExpertOutput.ExpertSlabs, 0, true)]
    public void RanksWaitForOneAnother(int ranks, ExpertOutput output, int mostSpins, bool fused)
    {
        var group = ExpertGroup.Of<Bf16TopTwo>(ranks, ranks, 8, 1);
        var random = new Random(ranks);
        ExpertRound<Bf16TopTwo>[] rounds = [.. Enumerable.Range(0, Rounds).Select(_ => new ExpertRound<Bf16TopTwo>(
            group, [.. Enumerable.Range(0, ranks).Select(_ => RoutingChoices.Of<Bf16TopTwo>(random, random.Next(9), RoutingStyle.Uniform))], random))];
        var failures = new Exception?[ranks];
        using var ready = new System.Threading.Barrier(ranks);
        var addresses = new ExpertRankAddresses[ranks];
        Thread[] threads = [.. Enumerable.Range(0, ranks).Select(rank => new Thread(() =>
        {
            try
            {
                Run(group, rank, output, rounds, addresses, ready, mostSpins, fused);
            }
            catch (Exception exception)
            {
                failures[rank] = exception;
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        Deadline.In(TimeSpan.FromSeconds(60)).Join(threads, () => $"failures so far: {string.Join("; ", failures.OfType<Exception>().Select(static failure => failure.Message))}");
        Assert.All(failures, static failure => Assert.Null(failure));
    }

    private static void Run(ExpertGroup group, int number, ExpertOutput output, ExpertRound<Bf16TopTwo>[] rounds, ExpertRankAddresses[] addresses, System.Threading.Barrier ready, int mostSpins, bool fused)
    {
        using CpuDevice device = KernelDevice.OpenCpu();
        using var kernels = new ExpertKernels<Bf16TopTwo>(device, fused);
        // Some hundred milliseconds of looking, at the least: a rank that is not there by then has failed.
        using var harness = new ExpertHarness<Bf16TopTwo>(kernels, group, new ExpertRankOptions { Output = output, Looks = 200_000_000 }, connect: false);
        ExpertRank<Bf16TopTwo> rank = harness.Ranks[number];
        addresses[number] = rank.Addresses;
        Assert.True(ready.SignalAndWait(TimeSpan.FromSeconds(30)));
        for (int peer = 0; peer < group.Ranks; peer++)
            rank.Connect(peer, addresses[peer]);
        Assert.True(ready.SignalAndWait(TimeSpan.FromSeconds(30)));
        var delays = new Random(number);
        // Before each kernel, of another length each time: flags come early, late and at once.
        void Delay() => Thread.SpinWait(delays.Next(mostSpins + 1));
        try
        {
            foreach (ExpertRound<Bf16TopTwo> round in rounds)
            {
                Delay();
                if (fused)
                {
                    harness.Dispatch(rank, round, false);
                    harness.CheckDispatched(rank, round);
                    Delay();
                    harness.CheckCombined(rank, round, harness.Combine(rank, round, false, out _), null);
                }
                else
                {
                    harness.DispatchSend(rank, round, false);
                    Delay();
                    harness.DispatchReceive(rank);
                    harness.CheckDispatched(rank, round);
                    Delay();
                    harness.CombineSend(rank, round);
                    Delay();
                    harness.CheckCombined(rank, round, harness.CombineReceive(rank, false, out _), null);
                }

                rank.ReadReport();
                harness.Forget();
            }
        }
        finally
        {
            // Nobody's memory goes while another may still write into it.
            Assert.True(ready.SignalAndWait(TimeSpan.FromSeconds(30)));
        }
    }
}
