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
    [InlineData(2, ExpertOutput.ExpertContiguous)]
    [InlineData(3, ExpertOutput.ExpertSlabs)]
    public void RanksWaitForOneAnother(int ranks, ExpertOutput output)
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
                Run(group, rank, output, rounds, addresses, ready);
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

    private static void Run(ExpertGroup group, int number, ExpertOutput output, ExpertRound<Bf16TopTwo>[] rounds, ExpertRankAddresses[] addresses, System.Threading.Barrier ready)
    {
        using CpuDevice device = KernelDevice.OpenCpu();
        using var kernels = new ExpertKernels<Bf16TopTwo>(device);
        // Some hundred milliseconds of looking, at the least: a rank that is not there by then has failed.
        using var harness = new ExpertHarness<Bf16TopTwo>(kernels, group, new ExpertRankOptions { Output = output, Looks = 200_000_000 }, connect: false);
        ExpertRank<Bf16TopTwo> rank = harness.Ranks[number];
        addresses[number] = rank.Addresses;
        Assert.True(ready.SignalAndWait(TimeSpan.FromSeconds(30)));
        for (int peer = 0; peer < group.Ranks; peer++)
            rank.Connect(peer, addresses[peer]);
        Assert.True(ready.SignalAndWait(TimeSpan.FromSeconds(30)));
        try
        {
            foreach (ExpertRound<Bf16TopTwo> round in rounds)
            {
                harness.DispatchSend(rank, round, false);
                harness.DispatchReceive(rank);
                harness.CheckDispatched(rank, round);
                harness.CombineSend(rank, round);
                harness.CheckCombined(rank, round, harness.CombineReceive(rank, false, out _), null);
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
