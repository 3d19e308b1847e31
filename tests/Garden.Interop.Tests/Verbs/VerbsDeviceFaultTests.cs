using Garden.Fabric;
using Garden.Interop.Cuda;
using Garden.Interop.Verbs;
using Garden.Interop.Verbs.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>What a device or its driver refuses.</summary>
public sealed class VerbsDeviceFaultTests
{
    private static Deadline Patient => Deadline.In(TimeSpan.FromSeconds(60));

    [Fact]
    public void L8_ARegionThatTheDeviceDoesNotGiveBackIsSaidToBeHeldAndIsGivenBackWhenAskedAgain()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = VerbsDomainTests.Pair(harness);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 1));
        Await(a, b, () => b.ImmediateTotal == 1 && a.EndedTotal == 1);
        var domain = (VerbsDomain)a.Domain;
        domain.Refuses = static () => LibC.EINVAL;
        FabricException held = Assert.Throws<FabricException>(() => domain.Unregister(a.Keys));
        Assert.Contains("may still be written to", held.Message, StringComparison.Ordinal);
        int asked = 0;
        domain.Refuses = () => asked++;
        domain.Unregister(a.Keys);
        domain.Unregister(a.Keys);
        Assert.Equal(1, asked);
    }

    [Fact]
    public void ArrivalsThatCannotBeMadeVisibleToTheGpuAreNotCountedAndTheNicHasFailed()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = VerbsDomainTests.Pair(harness);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 1));
        Await(a, b, () => b.ImmediateTotal == 1 && a.EndedTotal == 1);
        var flush = new CountedFlush();
        ((VerbsDomain)b.Domain).Flush = flush;
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 2));
        Await(a, b, () => b.Immediates.ContainsKey(2));
        Assert.Equal(1, flush.Runs);
        flush.Fails = true;
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 3));
        Await(a, b, () => b.FailedDomain == 1);
        Assert.Equal([1u, 2u], b.Order);
        Assert.Contains("gone for a test", b.Domain.Explain(FabricStatus.NicDown, VerbsErrors.FlushFailed), StringComparison.Ordinal);
        Assert.Equal(0, b.Step());
    }

    [Fact]
    public void H10_APeerThatTakesNoMessagesLeavesSlotsToOthers()
    {
        const int Window = 256, Slots = 256;
        using var harness = new VerbsHarness(static options => options with { MessageWindow = Window, MaxPeers = 4 });
        (FabricEndpoint a, FabricEndpoint b, int route) = VerbsDomainTests.Pair(harness);
        FabricEndpoint c = harness.Open("c")[0];
        int other = a.Domain.OpenRoute(c.Domain.Address);
        Assert.True(a.Domain.TrySend(route, [1], 1));
        Await(a, b, () => b.Messages.Count == 1 && a.Sent.Count != 0);
        int taken = 0;
        // Not one poll between them: nothing comes back.
        while (taken < Slots && a.Domain.TrySend(route, [2], 1))
            taken++;
        Assert.Equal(Slots / 4, taken);
        Assert.True(a.Domain.TrySend(other, [3], 1));
        Await(a, c, () => c.Messages.Count == 1);
    }

    private static void Await(FabricEndpoint a, FabricEndpoint b, Func<bool> condition) =>
        Patient.PollUntil(condition, () => VerbsDomainTests.Both(a, b), () => $"{a} / {b}");

    /// <summary>A flush that fails when it is told to.</summary>
    private sealed class CountedFlush() : RemoteWriteFlush(0)
    {
        public int Runs { get; private set; }

        public bool Fails { get; set; }

        public override void Run()
        {
            Runs++;
            if (Fails)
                throw new FabricException("gone for a test");
        }
    }
}
