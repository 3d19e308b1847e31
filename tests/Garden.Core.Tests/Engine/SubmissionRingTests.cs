namespace Garden.Core.Tests.Engine;

public sealed unsafe class SubmissionRingTests
{
    [Fact]
    public void HotStructsHaveTheirSizes()
    {
        Assert.Equal(128, sizeof(SubmissionSlot));
        Assert.Equal(64, sizeof(CounterEntry));
        Assert.True(sizeof(PagedWrites) <= SubmissionSlot.MaxInlinePlan);
        Assert.True(sizeof(SingleWrite) <= SubmissionSlot.MaxInlinePlan);
        SubmissionSlot slot;
        Assert.Equal(24, slot.Plan - (byte*)&slot);
        // A single write travels in one cache line.
        Assert.Equal(64, (slot.Plan - (byte*)&slot) + sizeof(SingleWrite));
    }

    [Fact]
    public void AFullRingRefusesAndGoesOnOnceASlotIsFree()
    {
        var ring = new SubmissionRing(4);
        for (int i = 0; i < 4; i++)
            Assert.True(Put(ring, i));
        Assert.False(Put(ring, 4));
        for (int i = 0; i < 100; i++)
        {
            SubmissionSlot* slot = ring.Peek();
            Assert.True(slot is not null);
            Assert.Equal(i, slot->Source);
            ring.Advance(slot);
            Assert.True(Put(ring, i + 4));
        }
    }

    [Fact]
    public void ProducersLoseAndRepeatNothingAndKeepTheirOwnOrder()
    {
        const int Producers = 3, Each = 20_000;
        var ring = new SubmissionRing(64);
        Thread[] threads = [.. Enumerable.Range(0, Producers).Select(producer => new Thread(() =>
        {
            for (int i = 0; i < Each; i++)
            {
                while (!Put(ring, (producer * Each) + i))
                    Thread.Yield();
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        int[] next = new int[Producers];
        var deadline = Garden.Testing.Deadline.Default;
        for (int taken = 0; taken < Producers * Each;)
        {
            SubmissionSlot* slot = ring.Peek();
            if (slot is null)
            {
                deadline.Check(() => $"taken {taken}");
                Thread.Yield();
                continue;
            }

            int producer = slot->Source / Each;
            Assert.Equal(next[producer]++, slot->Source % Each);
            ring.Advance(slot);
            taken++;
        }

        deadline.Join(threads, () => "producers");
        Assert.True(ring.Peek() is null);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void CapacitiesThatAreNoPowerOfTwoAreRefused(int capacity) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new SubmissionRing(capacity));

    private static bool Put(SubmissionRing ring, int value)
    {
        if (!ring.TryClaim(out SubmissionSlot* slot, out long position))
            return false;
        slot->Fill(null, value, 0, -1, default, planInBlock: false, 0);
        SubmissionRing.Publish(slot, position);
        return true;
    }
}
