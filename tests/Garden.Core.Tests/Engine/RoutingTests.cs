using CsCheck;
using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

/// <summary>Every policy over unequal numbers of NICs moves every byte once and counts every unit.</summary>
public sealed class RoutingTests
{
    private static readonly LaneRouting[] s_policies = [LaneRouting.Sharded, LaneRouting.ByBytes, LaneRouting.ByPeer, LaneRouting.Pinned(0)];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 2)]
    [InlineData(2, 8)]
    [InlineData(3, 5)]
    [InlineData(8, 1)]
    public async Task L1_SingleWritesOfAnyLengthArriveWhole(int senderNics, int receiverNics)
    {
        await using EnginePair pair = await EnginePair.CreateAsync(
            new LoopbackOptions { Name = "", Nics = senderNics, ReorderSeed = senderNics, MaxWriteLength = 1 << 17, QueueDepth = 16 },
            new LoopbackOptions { Name = "", Nics = receiverNics });
        var random = new Random(senderNics * 31 + receiverNics);
        int[] edges = [0, 1, 16385, 32771, 65535, 65536, 65537, 131073, 199_999];
        foreach (LaneRouting policy in s_policies)
        {
            foreach (long length in edges.Concat(Enumerable.Range(0, 8).Select(_ => random.Next(200_000))))
            {
                pair.Fill((int)length);
                long from = random.Next(1000), to = random.Next(1000);
                using ImmCounter counter = pair.Receiver.AllocateCounter();
                TransferResult result = await pair.Sender.SubmitSingleWrite(
                    pair.Source, from, pair.Destination, to, length, counter.Immediate, new SubmitOptions { Routing = policy }).Ended();
                await counter.Reaches(TransferUnits.OfRun(length));
                Assert.Equal(length, result.Bytes);
                pair.AssertMoved(from, to, length);
                Assert.Equal(TransferUnits.OfRun(length), counter.Value);
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    public async Task L2_ScatterByBytesKeepsTheRemainder(int nics)
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = nics });
        pair.Fill(nics);
        int[] lengths = [200_003, 65_537, 1, 131_075];
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        var targets = new ScatterTarget[lengths.Length];
        long offset = 0;
        for (int i = 0; i < lengths.Length; offset += lengths[i++])
            targets[i] = new ScatterTarget(pair.Destination.Handle, counter.Immediate, offset, offset, lengths[i]);
        TransferResult result = await pair.Sender.SubmitScatter(pair.Source, targets, new SubmitOptions { Routing = LaneRouting.ByBytes }).Ended();
        await counter.Reaches(lengths.Sum(length => TransferUnits.OfRun(length)));
        Assert.Equal(lengths.Sum(), result.Bytes);
        pair.AssertMoved(0, 0, offset);
    }

    [Fact]
    public async Task L3_PinnedWritesGoOverTheirNic()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = 4 }, new LoopbackOptions { Name = "", Nics = 4 });
        for (int lane = 0; lane < 4; lane++)
        {
            long[] before = Writes();
            TransferResult result = await pair.Sender.SubmitSingleWrite(
                pair.Source, 0, pair.Destination, 0, 500_000, default, new SubmitOptions { Routing = LaneRouting.Pinned(lane) }).Ended();
            long[] after = Writes();
            Assert.Equal(1 << lane, result.LanesUsed);
            for (int nic = 0; nic < 4; nic++)
                Assert.Equal(nic == lane, after[nic] > before[nic]);
        }

        long[] Writes() => [.. pair.Sender.Devices[0].GetStatistics().Select(nic => nic.Writes)];
    }

    [Fact]
    public async Task ShardingOverSomeLanesUsesThatManyAndTakesTurns()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = 4 });
        var used = new HashSet<byte>();
        for (int i = 0; i < 8; i++)
        {
            TransferResult result = await pair.Sender.SubmitSingleWrite(
                pair.Source, 0, pair.Destination, 0, 1 << 20, default, new SubmitOptions { Routing = LaneRouting.ShardedOver(2) }).Ended();
            Assert.Equal(2, System.Numerics.BitOperations.PopCount(result.LanesUsed));
            used.Add(result.LanesUsed);
        }

        Assert.Equal(4, used.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => LaneRouting.ShardedOver(0));
    }

    [Fact]
    public async Task PinningToALaneThatDoesNotExistIsRefused()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        PlanException refusal = await Assert.ThrowsAsync<PlanException>(() => pair.Sender.SubmitSingleWrite(
            pair.Source, 0, pair.Destination, 0, 8, default, new SubmitOptions { Routing = LaneRouting.Pinned(5) }).Ended());
        Assert.Contains("Lane 5", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FewLongWritesUseAllLanesAndManyShortOnesAreDealt()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = 4 });
        Assert.Equal(0b1111, (await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 1 << 20).Ended()).LanesUsed);
        int[] pages = [.. Enumerable.Range(0, 1000).Select(i => (i * 7) % 1000)];
        TransferResult result = await pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan(pages, 1024), pair.Destination, new PageSpan(pages, 1024), 1024).Ended();
        Assert.Equal(1000 * 1024, result.Bytes);
    }

    [Fact]
    public async Task T11_AdjacentPagesBecomeOneWriteAndKeepTheirUnits()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        pair.Fill(5);
        int[] from = [.. Enumerable.Range(4, 200)], to = [.. Enumerable.Range(9, 200)];
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        TransferResult result = await pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(from, 4096), pair.Destination, new PageSpan(to, 4096), 4096, counter.Immediate).Ended();
        await counter.Reaches(200);
        Assert.Equal(1, result.Writes);
        pair.AssertMoved(4 * 4096, 9 * 4096, 200 * 4096);
    }

    [Fact]
    public void PagedWritesWithStrideAndOffsetOnBothSidesArriveWhole() => Gen.Select(Gen.Int[1, 60], Gen.Int[1, 700], Gen.Int[0, 99], Gen.Int[0, 99], Gen.Int).Sample(
        (count, length, fromOffset, toOffset, seed) =>
        {
            var random = new Random(seed);
            int fromStride = length + random.Next(50), toStride = length + random.Next(50);
            int[] from = [.. Enumerable.Range(0, count)], to = [.. Enumerable.Range(0, count)];
            random.Shuffle(from);
            random.Shuffle(to);
            EnginePair pair = s_shared.Value.GetAwaiter().GetResult();
            pair.Fill(seed);
            using ImmCounter counter = pair.Receiver.AllocateCounter();
            pair.Sender.SubmitPagedWrites(
                pair.Source, new PageSpan(from, fromStride, fromOffset), pair.Destination, new PageSpan(to, toStride, toOffset), length, counter.Immediate)
                .Ended().GetAwaiter().GetResult();
            counter.Reaches(count).GetAwaiter().GetResult();
            for (int i = 0; i < count; i++)
            {
                Assert.True(pair.SourceBuffer.Span(fromOffset + (from[i] * (long)fromStride), length)
                    .SequenceEqual(pair.DestinationBuffer.Span(toOffset + (to[i] * (long)toStride), length)));
            }

            int covered = count * length;
            int poison = 0;
            foreach (byte value in pair.DestinationBuffer.Span(0, toOffset + (count * toStride)))
                poison += value == 0xCD ? 1 : 0;
            // Random payload holds the poison byte about once in 256.
            Assert.InRange(poison, toOffset + (count * toStride) - covered, toOffset + (count * toStride) - covered + (covered / 64) + 20);
        },
        iter: 60,
        threads: 1);

    private static readonly Lazy<Task<EnginePair>> s_shared = new(() => EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = 3, ReorderSeed = 9 }));
}
