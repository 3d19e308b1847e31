using System.Diagnostics;
using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Core.Tests.Loopback;

public class LoopbackBehaviorTests
{
    [Fact]
    public void H10_FullReceiverStopsOnlyItsOwnSenders()
    {
        using var pair = new LoopbackPair(LoopbackPair.Template with { ReceiveQueueDepth = 4 });
        FabricEndpoint c = pair.Harness.Open("c")[0];
        int toC = pair.A.Domain.OpenRoute("c/0");
        for (int i = 0; i < 20; i++)
            pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 8, immediate: (uint)i + 1));
        for (int i = 0; i < 20; i++)
        {
            pair.A.Post(pair.A.Write(toC, 0, c, 0, 8, immediate: (uint)i + 1));
            pair.A.Step();
            c.Step();
        }

        Assert.Equal(20, c.ImmediateTotal);
        Assert.Equal(24, pair.A.EndedTotal);

        // The sender may park: the receiver's poll gives room and wakes it.
        pair.A.Signal.Reset();
        Assert.True(pair.A.Domain.TryArm(out long due));
        Assert.Equal(long.MaxValue, due);
        pair.B.Step();
        Assert.True(pair.A.Signal.Park(Deadline.Default));
        pair.Until(() => pair.B.ImmediateTotal == 20 && pair.A.EndedTotal == 40);
        Assert.Equal(Enumerable.Range(1, 20).Select(i => (uint)i), pair.B.Order);
    }

    [Fact]
    public void H3_WhatArrivedBeforeArmingRefusesToArm()
    {
        using var pair = new LoopbackPair();
        Assert.True(pair.B.Domain.TryArm(out _));
        long wakes = pair.B.Signal.Wakes;
        pair.A.Post(new FabricWrite { Route = pair.There, Immediate = 1 });
        Assert.Equal(wakes + 1, pair.B.Signal.Wakes);
        Assert.False(pair.B.Domain.TryArm(out _));
        Assert.False(pair.A.Domain.TryArm(out _));
        pair.Both();
        Assert.True(pair.B.Domain.TryArm(out _));
        Assert.True(pair.A.Domain.TryArm(out _));
        pair.B.Step();

        // An awake receiver is not woken.
        wakes = pair.B.Signal.Wakes;
        pair.A.Post(new FabricWrite { Route = pair.There, Immediate = 1 });
        Assert.Equal(wakes, pair.B.Signal.Wakes);
    }

    [Fact]
    public void CompletionsOfOneContextAreMerged()
    {
        using var pair = new LoopbackPair();
        var writes = new FabricWrite[100];
        for (int i = 0; i < writes.Length; i++)
            writes[i] = pair.A.Write(pair.There, 0, pair.B, 0, 8, context: i < 60 ? 1ul : 2ul);
        Assert.Equal(100, pair.A.Post(writes));
        var completions = new FabricCompletion[8];
        Assert.Equal(2, pair.A.Domain.Poll(completions));
        Assert.Equal((60, 40), (completions[0].Count, completions[1].Count));
        Assert.Equal((1ul, 2ul), (completions[0].Context, completions[1].Context));
    }

    [Fact]
    public void OverlongWriteIsReportedAsFailed()
    {
        using var pair = new LoopbackPair(LoopbackPair.Template with { MaxWriteLength = 65536 });
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 65537, immediate: 1), pair.A.Write(pair.There, 0, pair.B, 0, 65536, immediate: 2));
        pair.Until(() => pair.A.EndedTotal == 2);
        Assert.Equal(1, pair.A.Ended[FabricStatus.ProviderError]);
        pair.Until(() => pair.B.ImmediateTotal == 1);
        Assert.Equal([2u], pair.B.Order);
    }

    [Fact]
    public void L7_LocalOnlyCompletesBeforeDelivery()
    {
        using var pair = new LoopbackPair(LoopbackPair.Template with { Completion = FabricCompletionLevel.LocalOnly });
        pair.A.Buffer.Span(0, 64).Fill(1);
        pair.Network.HoldDeliveries("b");
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 64, immediate: 1));
        pair.A.Post(new FabricWrite { Route = pair.There, Immediate = 2, Context = 9 });
        pair.Until(() => pair.A.Ended.GetValueOrDefault(FabricStatus.Ok) == 2);
        Assert.Equal(0, pair.B.ImmediateTotal);
        // The source is the sender's again; what was posted is on its way, in order, the fence immediate behind the data.
        pair.A.Buffer.Span(0, 64).Fill(2);
        pair.Network.ReleaseDeliveries("b");
        pair.Until(() => pair.B.ImmediateTotal == 2);
        Assert.Equal([1u, 2u], pair.B.Order);
        Assert.False(pair.B.Buffer.Span(0, 64).ContainsAnyExcept((byte)1));
    }

    [Fact]
    public void LocalOnlyDeliveryThatFailsBreaksTheRoute()
    {
        using var pair = new LoopbackPair(LoopbackPair.Template with { Completion = FabricCompletionLevel.LocalOnly });
        pair.Network.HoldDeliveries("b");
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 64, immediate: 1), pair.A.Write(pair.There, 0, pair.B, 0, 0, immediate: 2));
        pair.B.Domain.Unregister(pair.B.Keys);
        pair.Network.ReleaseDeliveries("b");
        pair.Until(() => pair.A.FailedRoutes == 1);
        pair.A.Post(new FabricWrite { Route = pair.There, Immediate = 3, Context = 9 });
        pair.Until(() => pair.A.EndedTotal == 3);
        Assert.Equal(1, pair.A.Ended[FabricStatus.RouteDown]);
        Assert.Empty(pair.B.Order);
    }

    [Fact]
    public void DelayHoldsDeliveriesAndTellsWhenTheyAreDue()
    {
        var delay = TimeSpan.FromMilliseconds(20);
        using var pair = new LoopbackPair(LoopbackPair.Template with { Delay = delay });
        long start = Stopwatch.GetTimestamp();
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 64, immediate: 1));
        Assert.True(pair.A.Domain.TryArm(out long due));
        Assert.InRange(Stopwatch.GetElapsedTime(start, due), delay - TimeSpan.FromMicroseconds(1), TimeSpan.FromSeconds(10));
        pair.Until(() => pair.B.ImmediateTotal == 1);
        Assert.True(Stopwatch.GetTimestamp() >= due);
    }

    [Fact]
    public void PacingTakesAsLongAsTheLink()
    {
        using var pair = new LoopbackPair(LoopbackPair.Template with { BandwidthBytesPerSecond = 100e6 });
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 20; i++)
            pair.A.PostAll([pair.A.Write(pair.There, 0, pair.B, 0, 100_000, immediate: 1)], Deadline.Default, pair.B);
        pair.Until(() => pair.B.ImmediateTotal == 20);
        // 2 MB at 100 MB/s.
        Assert.True(Stopwatch.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(19.9));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PostPollAndSendDoNotAllocate(bool smallReceiver)
    {
        using var pair = new LoopbackPair(LoopbackPair.Template with { ReceiveQueueDepth = smallReceiver ? 8 : 1024 });
        var writes = new FabricWrite[16];
        for (int i = 0; i < writes.Length; i++)
            writes[i] = pair.A.Write(pair.There, 0, pair.B, 0, 512, immediate: 1, context: (ulong)i);
        var completions = new FabricCompletion[64];
        byte[] message = new byte[100];
        Run(500);
        Assert.Equal(0, Allocations.Least(() => Run(5_000)));

        void Run(int times)
        {
            for (int i = 0; i < times; i++)
            {
                pair.A.Domain.PostWrites(writes);
                pair.A.Domain.TrySend(pair.There, message, 1);
                pair.A.Domain.Poll(completions);
                int count = pair.B.Domain.Poll(completions);
                for (int j = 0; j < count; j++)
                {
                    if (completions[j].Kind == FabricCompletionKind.Message)
                        pair.B.Domain.ReturnMessage(in completions[j]);
                }

                pair.A.Domain.TryArm(out _);
                pair.B.Domain.TryArm(out _);
            }
        }
    }

    [Fact]
    public void OptionsAreChecked()
    {
        LoopbackOptions[] wrong =
        [
            LoopbackPair.Template with { Name = "" },
            LoopbackPair.Template with { Name = "a b" },
            LoopbackPair.Template with { Name = "a/0" },
            LoopbackPair.Template with { Name = new string('x', 201) },
            LoopbackPair.Template with { Nics = 0 },
            LoopbackPair.Template with { Nics = 9 },
            LoopbackPair.Template with { QueueDepth = 0 },
            LoopbackPair.Template with { ReceiveQueueDepth = 0 },
            LoopbackPair.Template with { MaxWriteLength = 65535 },
            LoopbackPair.Template with { MaxMessageLength = 0 },
            LoopbackPair.Template with { Delay = TimeSpan.FromTicks(-1) },
            LoopbackPair.Template with { BandwidthBytesPerSecond = double.NaN },
            LoopbackPair.Template with { BandwidthBytesPerSecond = -1 },
            LoopbackPair.Template with { LinkGigabitsPerSecond = double.PositiveInfinity },
            LoopbackPair.Template with { Completion = (FabricCompletionLevel)9 },
            LoopbackPair.Template with { Completion = FabricCompletionLevel.LocalOnly, ReorderSeed = 1 },
        ];
        Assert.All(wrong, options => Assert.Throws<FabricException>(() => new LoopbackFabric(new LoopbackNetwork(), options)));
    }
}
