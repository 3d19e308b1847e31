using System.Diagnostics;
using System.Globalization;
using Garden;
using Garden.Experts;
using Garden.Interop.Libfabric;
using Garden.Kernels;
using Garden.Kernels.Experts;

namespace ExpertParallel.Processes;

/// <summary>
/// One rank in a process of its own, told by lines what to do, each answered by one: <c>connect ROUND ADDRESS…</c>, <c>send TOKENS</c>,
/// <c>finish</c>, <c>mask RANK</c>. A round that misses ranks is answered with their numbers; <c>finish</c> goes on with it when they are masked.
/// </summary>
internal static class RankServer<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    public static async Task<int> RunAsync(SampleOptions options, int number, CancellationToken cancellationToken)
    {
        using KernelDevice device = KernelDevice.OpenCpu(multiprocessors: 2, threadsPerGroup: 4);
        using var kernels = new ExpertKernels<TRouting>(device);
        var group = ExpertGroup.Of<TRouting>(options.Ranks, 1, options.Tokens, 1);
        await using TransferEngine engine = TransferEngine.CreateBuilder().Configure(static options => options.WaitStrategy = WaitStrategy.Economic).UseTcp("127.0.0.1").Build();
        await using var work = new RankWork<TRouting>(kernels, group, number, engine);
        var random = new Random(HashCode.Combine(options.Seed, number));
        Console.WriteLine(AddressText.Of(work.Address!));
        while (await Console.In.ReadLineAsync(cancellationToken) is { } line)
        {
            string[] words = line.Split(' ');
            switch (words[0])
            {
                case "connect":
                    uint round = uint.Parse(words[1], CultureInfo.InvariantCulture);
                    if (round != work.Rank.Epoch)
                        work.Rank.Join(round);
                    await work.ConnectAsync(words.Skip(2).Select(word => AddressText.Parse(word, group)).Where(address => address.Rank != number), cancellationToken);
                    break;
                case "send":
                    work.Send(random, int.Parse(words[1], CultureInfo.InvariantCulture), options.Zipf);
                    break;
                case "mask":
                    work.Mask(int.Parse(words[1], CultureInfo.InvariantCulture));
                    break;
                case "finish":
                    Console.WriteLine(Finish(work, cancellationToken));
                    continue;
            }

            Console.WriteLine("done");
        }

        return 0;
    }

    private static string Finish(RankWork<TRouting> work, CancellationToken cancellationToken)
    {
        uint round = work.Rank.Epoch;
        long started = Stopwatch.GetTimestamp();
        try
        {
            work.RunExperts(round, false, cancellationToken);
            double difference = DenseReference.CosineDifference(work, work.Combine(round, work.Choices.Length / TRouting.TopK, cancellationToken));
            return string.Create(CultureInfo.InvariantCulture, $"difference {difference}");
        }
        catch (ExpertTimeoutException timeout)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"missing {string.Join(',', timeout.Missing.Select(static missing => missing.Rank).Distinct())} {Stopwatch.GetElapsedTime(started).TotalSeconds:0.00}");
        }
    }
}
