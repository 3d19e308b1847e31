using CsCheck;

namespace Garden.Kernels.Tests.Device;

/// <summary>Pinned ranges against a driver that does as CUDA's: whole pages, each once, unpinned by the start of the call that pinned them.</summary>
public sealed class HostPinsTests
{
    private const int Page = 4096;

    [Fact]
    public void T12_AGibibyteTakesFewCalls()
    {
        var driver = new PinningDriver();
        var pins = new HostPins(driver);
        List<HostPin> aligned = pins.Hold(1 << 20, 1 << 30), odd = pins.Hold((3 << 29) + 100, (1 << 28) + 7);
        Assert.Equal(1 + 3, driver.Calls);
        pins.Release(aligned);
        pins.Release(odd);
        Assert.Empty(driver.Pinned);
    }

    /// <summary>The neighbour's memory may be freed and its addresses given to other pages, which are not those that were pinned.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ANeighbourOnTheSamePageDoesNotKeepARangePinned(bool comesFirst)
    {
        var driver = new PinningDriver();
        var pins = new HostPins(driver);
        List<HostPin> small = comesFirst ? pins.Hold((100 * Page) + 64, 64) : [];
        List<HostPin> large = pins.Hold((10 * Page) + 100, 90 * Page);
        if (!comesFirst)
            small = pins.Hold((100 * Page) + 64, 64);
        Assert.Equal(91, driver.Pinned.Count);
        pins.Release(large);
        Assert.Equal(100 * Page, Assert.Single(driver.Pinned).Key);
        pins.Release(small);
        Assert.Empty(driver.Pinned);
    }

    [Fact]
    public void WhatSomebodyElseHasPinnedIsUsedAndLeftAlone()
    {
        var driver = new PinningDriver();
        driver.PinForeign(1000 * Page, 200_000);
        var pins = new HostPins(driver);
        List<HostPin> held = pins.Hold(0x1000, 300_000 * Page);
        // By halves to where the foreign range begins, and beyond it at once.
        Assert.InRange(driver.Calls, 2, 50);
        Assert.Equal(300_000, driver.Pinned.Count);
        pins.Release(held);
        Assert.Equal(200_000, driver.Pinned.Count);
        driver.UnpinForeign();
        // It is pinned again for the next who asks.
        held = pins.Hold(1000 * Page, 5 * Page);
        Assert.Equal(5, driver.Pinned.Count);
        pins.Release(held);
        Assert.Empty(driver.Pinned);
    }

    [Fact]
    public void AFailureLeavesNothingPinned()
    {
        var driver = new PinningDriver { Fails = 7 * Page };
        var pins = new HostPins(driver);
        List<HostPin> held = pins.Hold(3 * Page, 2 * Page);
        Assert.Throws<InvalidOperationException>(() => pins.Hold(100, 10 * Page));
        Assert.Equal(2, driver.Pinned.Count);
        pins.Release(held);
        Assert.Empty(driver.Pinned);
        Assert.Equal(0, pins.Count);
    }

    /// <summary>Every page of a range that is held is pinned, whoever else comes and goes; in the end nothing is.</summary>
    [Fact]
    public void HeldPagesArePinnedAndNothingElseStays() =>
        Gen.Select(Gen.Int[0, 40 * Page], Gen.Int[1, 12 * Page], Gen.Bool).Array[1, 40].Select(Gen.Int[0, 40], Gen.Int[0, 10]).Sample((steps, foreignPage, foreignPages) =>
        {
            var driver = new PinningDriver { KnowsRanges = foreignPage % 2 == 0 };
            if (foreignPages != 0)
                driver.PinForeign(foreignPage * Page, foreignPages);
            var pins = new HostPins(driver);
            var live = new Queue<(nint Address, int Bytes, List<HostPin> Held)>();
            foreach ((int address, int bytes, bool ends) in steps)
            {
                if (ends && live.TryDequeue(out (nint, int, List<HostPin> Held) first))
                    pins.Release(first.Held);
                live.Enqueue((address, bytes, pins.Hold(address, bytes)));
                foreach ((nint held, int length, _) in live)
                {
                    for (nint page = held / Page * Page; page < held + length; page += Page)
                        Assert.True(driver.Pinned.ContainsKey(page), $"Page {page / Page} of [{held}, + {length}) is not pinned.");
                }
            }

            while (live.TryDequeue(out (nint, int, List<HostPin> Held) last))
                pins.Release(last.Held);
            Assert.Equal(foreignPages, driver.Pinned.Count);
            Assert.Equal(0, pins.Count);
        });

    private sealed class PinningDriver : IHostPinner
    {
        private readonly Dictionary<nint, nint> _lengths = [];
        private nint _foreign = -1;

        /// <summary>By page: where the call that pinned it began.</summary>
        public Dictionary<nint, nint> Pinned { get; } = [];

        public int Calls { get; private set; }

        public bool KnowsRanges { get; init; } = true;

        /// <summary>A page that cannot be pinned.</summary>
        public nint Fails { get; init; } = -1;

        public nint PageBytes => Page;

        public bool TryPin(nint start, nint bytes)
        {
            Calls++;
            Assert.True(start % Page == 0 && bytes % Page == 0 && bytes > 0, "Not whole pages.");
            if (Fails >= start && Fails < start + bytes)
                throw new InvalidOperationException("The page cannot be pinned.");
            return TryAdd(start, bytes);
        }

        public void Unpin(nint start)
        {
            Assert.NotEqual(_foreign, start);
            Remove(start);
        }

        public nint EndOfPinned(nint page) => KnowsRanges ? Pinned[page] + _lengths[Pinned[page]] : page + Page;

        public void PinForeign(nint start, int pages) => Assert.True(TryAdd(_foreign = start, (nint)pages * Page));

        public void UnpinForeign()
        {
            Remove(_foreign);
            _foreign = -1;
        }

        private bool TryAdd(nint start, nint bytes)
        {
            for (nint page = start; page < start + bytes; page += Page)
            {
                if (Pinned.ContainsKey(page))
                    return false;
            }

            for (nint page = start; page < start + bytes; page += Page)
                Pinned.Add(page, start);
            _lengths.Add(start, bytes);
            return true;
        }

        private void Remove(nint start)
        {
            Assert.True(_lengths.Remove(start, out nint bytes), "Nothing was pinned there by one call.");
            for (nint page = start; page < start + bytes; page += Page)
                Pinned.Remove(page);
        }
    }
}
