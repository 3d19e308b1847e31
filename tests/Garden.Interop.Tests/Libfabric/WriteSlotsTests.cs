using CsCheck;
using Garden.Interop.Libfabric;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>Slots of writes: none is another write's while the provider may still have it.</summary>
public sealed unsafe class WriteSlotsTests
{
    private const int Depth = 4;
    private readonly LibfabricRoute _route = new(0, new PeerNic("peer", null!, 0));

    [Fact]
    public void L8_LostSlotIsReplacedAndComesBackWhenTheProviderEndsIt()
    {
        using var slots = new WriteSlots(Depth);
        int lost = slots.TryTake(_route, 7, 100);
        void* context = slots.ContextOf(lost);
        slots.Lose(lost);
        Assert.False(slots.IsInUse(lost));
        Assert.Equal(0, slots.InUse);
        int[] others = [.. Enumerable.Range(0, Depth).Select(_ => slots.TryTake(_route, 8, 1))];
        Assert.Equal(Depth, others.Distinct().Count());
        Assert.DoesNotContain(lost, others);
        Assert.Equal(-1, slots.TryTake(_route, 8, 1));

        // Its completion is nobody else's.
        Assert.Equal(lost, slots.IndexOf(context));
        slots.EndLost(lost);
        slots.EndLost(lost);
        Assert.Equal(Depth, slots.InUse);
        foreach (int other in others)
            slots.Lose(other);
        Assert.Contains(lost, Enumerable.Range(0, Depth).Select(_ => slots.TryTake(_route, 9, 1)));
    }

    [Fact]
    public void H6_DepthIsWhatItWasWhateverIsLost() => Gen.Int[0, 3].List[0, 200].Sample(static steps =>
    {
        using var slots = new WriteSlots(Depth);
        var route = new LibfabricRoute(0, new PeerNic("peer", null!, 0));
        var held = new List<int>();
        var lost = new List<int>();
        foreach (int step in steps)
        {
            if (step == 0 && slots.TryTake(route, 1, 0) is >= 0 and var taken)
            {
                Assert.True(slots.IsInUse(taken));
                Assert.DoesNotContain(taken, held);
                held.Add(taken);
            }
            else if (step == 1 && held.Count != 0)
            {
                slots.Return(held[0]);
                held.RemoveAt(0);
            }
            else if (step == 2 && held.Count != 0)
            {
                slots.Lose(held[0]);
                lost.Add(held[0]);
                held.RemoveAt(0);
            }
            else if (step == 3 && lost.Count != 0 && !held.Contains(lost[^1]))
            {
                slots.EndLost(lost[^1]);
                lost.RemoveAt(lost.Count - 1);
            }

            Assert.Equal(held.Count, slots.InUse);
        }

        while (slots.TryTake(route, 1, 0) is >= 0 and var more)
            held.Add(more);
        Assert.Equal(Depth, held.Count);
        Assert.Equal(Depth, held.Distinct().Count());
    });
}
