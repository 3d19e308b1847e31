using Garden.Core.Tests.Engine;
using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvFencesTests
{
    /// <summary>Where a completion says nothing about the remote memory, only an immediate behind the data on the same lane proves the drain.</summary>
    [Fact]
    public async Task L8_local_completions_are_fenced_behind_the_data_of_every_lane()
    {
        await using EnginePair pair = await CreateAsync(FabricCompletionLevel.LocalOnly);
        pair.Fill(1);
        pair.Network.HoldDeliveries("receiver/1");
        // Completed, and yet nothing of it has landed.
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 1000, default, Lane(1)).Ended();
        using ImmCounter fence = pair.Receiver.AllocateCounter();
        Assert.False(KvFences.AreNeedless(pair.Sender, pair.Peer));
        Assert.Equal(2, await KvFences.PostAsync(pair.Sender, pair.Peer, fence.Immediate, 0b11).AsTask().WaitAsync(EnginePair.Limit));

        // What is posted on the free lane now arrives after everything before it there: one fence has come, the other hangs behind the data.
        await pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(1), Lane(0)).Ended();
        await pair.Receiver.GetCounter(1).Reaches(1);
        Assert.Equal(1, fence.Value);
        pair.Network.ReleaseDeliveries("receiver/1");
        await fence.Reaches(2);
        pair.AssertMoved(0, 0, 1000);
    }

    [Fact]
    public async Task Placed_completions_and_unused_lanes_need_no_fence()
    {
        await using EnginePair placed = await CreateAsync(FabricCompletionLevel.RemotePlaced);
        Assert.True(KvFences.AreNeedless(placed.Sender, placed.Peer));
        Assert.Equal(0, await KvFences.PostAsync(placed.Sender, placed.Peer, Immediate.FromNumber(1), 0b11));
        await using EnginePair local = await CreateAsync(FabricCompletionLevel.LocalOnly);
        Assert.Equal(0, await KvFences.PostAsync(local.Sender, local.Peer, Immediate.FromNumber(1), 0));
    }

    private static SubmitOptions Lane(int lane) => new() { Routing = LaneRouting.Pinned(lane) };

    private static Task<EnginePair> CreateAsync(FabricCompletionLevel completion) => EnginePair.CreateAsync(
        new LoopbackOptions { Name = "", Nics = 2, Completion = completion }, new LoopbackOptions { Name = "", Nics = 2 });
}
