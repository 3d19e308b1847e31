using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

/// <summary>What the engine posts tiles every range, for sampled lengths over every number of NICs on each side and every policy.</summary>
public sealed class TilingTests
{
    private const int Longest = 200_000;

    [Fact]
    public async Task L1_L2_EveryPolicyTilesEveryRangeOverEveryNumberOfNics()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        LaneRouting[] policies = [LaneRouting.Sharded, LaneRouting.ShardedOver(2), LaneRouting.ByBytes, LaneRouting.ByPeer, LaneRouting.Pinned(0)];
        using var buffer = new NativeBuffer(Longest);
        for (int local = 1; local <= NetAddress.MaxNics; local++)
        {
            for (int remote = 1; remote <= NetAddress.MaxNics; remote++)
            {
                var network = new LoopbackNetwork();
                var tiles = new TilingFabric(new LoopbackFabric(network, new LoopbackOptions { Name = "sender", Nics = local, QueueDepth = 16, MaxWriteLength = 1 << 16, ReceiveQueueDepth = 64 }));
                await using TransferEngine sender = Build(builder => builder.UseFabric(tiles));
                await using TransferEngine receiver = Build(builder => builder.UseLoopback(network, new LoopbackOptions { Name = "receiver", Nics = remote, ReceiveQueueDepth = 64 }));
                Task<Peer> connecting = sender.ConnectAsync(receiver.Address).AsTask();
                Garden.Testing.Deadline.Default.PollUntil(() => connecting.IsCompleted, () => _ = sender.Poll() | receiver.Poll(), () => "connecting");
                MemoryRegion source = sender.Register(buffer);
                RemoteRegion destination = (await connecting).Import(receiver.Register(buffer).Export());
                foreach (LaneRouting policy in policies)
                {
                    long length = random.Next(Longest + 1);
                    tiles.Clear();
                    // As a scatter of three targets every second time: the remainders of each must be there as well.
                    bool scatter = random.Next(2) == 0;
                    long first = length / 3, second = length / 2;
                    Immediate counter = Immediate.ForCounter(1, 0);
                    var options = new SubmitOptions { Routing = policy };
                    Transfer transfer = scatter
                        ? sender.SubmitScatter(
                            source,
                            [
                                new ScatterTarget(destination.Handle, counter, 0, 0, first),
                                new ScatterTarget(destination.Handle, counter, first, first, second - first),
                                new ScatterTarget(destination.Handle, counter, second, second, length - second),
                            ],
                            in options)
                        : sender.SubmitSingleWrite(source, 0, destination, 0, length, counter, in options);
                    Garden.Testing.Deadline.Default.PollUntil(() => transfer.IsCompleted, () => _ = sender.Poll() | receiver.Poll(), () => $"seed {seed}: {local}x{remote} {policy} {length}");
                    transfer.GetResult();
                    tiles.AssertTiles((ulong)source.Address, length);
                    long units = scatter
                        ? TransferUnits.OfRun(first) + TransferUnits.OfRun(second - first) + TransferUnits.OfRun(length - second)
                        : TransferUnits.OfRun(length);
                    Assert.True(units == tiles.Units, $"seed {seed}: {local}x{remote} {policy} {length}: {tiles.Units} of {units} units");
                }
            }
        }
    }

    private static TransferEngine Build(Func<TransferEngineBuilder, TransferEngineBuilder> fabric) =>
        fabric(TransferEngine.CreateBuilder()).Configure(static options =>
        {
            options.CallerDriven = true;
            options.MaxTransfers = 64;
            options.MaxRegions = 64;
            options.MaxPeers = 4;
        }).Build();
}
