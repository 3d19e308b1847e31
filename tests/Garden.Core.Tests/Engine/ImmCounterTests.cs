namespace Garden.Core.Tests.Engine;

public sealed class ImmCounterTests
{
    [Fact]
    public async Task L5_ImmediatesBeforeTheCounterIsAskedForAreCounted()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        for (int i = 0; i < 3; i++)
            await pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(77)).Ended();
        // Nobody has named the number 77 on the receiver yet; its row was claimed by the arrivals.
        Assert.Equal(3, await pair.Receiver.GetCounter(77).Reaches(3));

        using ImmCounter counter = pair.Receiver.AllocateCounter();
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 200_000, counter.Immediate).Ended();
        await Wait.UntilAsync(() => counter.Value == 4, "4 units before any wait");
        Assert.Equal(4, await counter.Reaches(4));
    }

    [Fact]
    public async Task L6_ZeroPagesCompleteAtOnceAndCountNothing()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        TransferResult result = await pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan([], 4096), pair.Destination, new PageSpan([], 4096), 4096, counter.Immediate).Ended();
        Assert.Equal(0, result.Writes);
        Assert.Equal(0, await counter.Reaches(0));
        Assert.Equal(0, (await pair.Sender.SubmitScatter(pair.Source, []).Ended()).Writes);
        // One run of zero bytes is one unit.
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 0, counter.Immediate).Ended();
        Assert.Equal(1, await counter.Reaches(1));
    }

    [Fact]
    public async Task H3_AWaitThatIsNotReachedEndsAtItsDeadline()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        await pair.Sender.SubmitImmediate(pair.Peer, counter.Immediate).Ended();
        TimeoutException timeout = await Assert.ThrowsAsync<TimeoutException>(() => counter.WaitAsync(5, TimeSpan.FromMilliseconds(50)).AsTask().WaitAsync(EnginePair.Limit));
        Assert.Contains("of 5 units", timeout.Message, StringComparison.Ordinal);
        using var cancel = new CancellationTokenSource();
        Task<long> wait = counter.WaitAsync(5, EnginePair.Limit, default, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait.WaitAsync(EnginePair.Limit));
        // The counter lives on: a later wait may still be reached.
        for (int i = 0; i < 4; i++)
            await pair.Sender.SubmitImmediate(pair.Peer, counter.Immediate).Ended();
        Assert.Equal(5, await counter.Reaches(5));
    }

    [Fact]
    public async Task AWaitIsNotEndedByAnotherWaitsNews()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        Task<long> wait = counter.Reaches(3);
        // What a worker does that looked at an earlier target and was held up since.
        counter.OnReached();
        await pair.Sender.SubmitImmediate(pair.Peer, counter.Immediate).Ended();
        counter.OnReached();
        Assert.False(wait.IsCompleted);
        await pair.Sender.SubmitImmediate(pair.Peer, counter.Immediate).Ended();
        await pair.Sender.SubmitImmediate(pair.Peer, counter.Immediate).Ended();
        Assert.Equal(3, await wait);
    }

    [Fact]
    public async Task TwoWaitsAtOnceAreRefused()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        Task<long> wait = counter.WaitAsync(1, EnginePair.Limit).AsTask();
        Assert.Throws<InvalidOperationException>(() => { _ = counter.WaitAsync(2, EnginePair.Limit).AsTask(); });
        await pair.Sender.SubmitImmediate(pair.Peer, counter.Immediate).Ended();
        Assert.Equal(1, await wait.WaitAsync(EnginePair.Limit));
    }

    [Fact]
    public async Task CallbacksSeeEveryCountAndTheirErrorsDoNotStopTheEngine()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        ImmCounter counter = pair.Receiver.GetCounter(5);
        long last = 0;
        counter.OnCount(count =>
        {
            Volatile.Write(ref last, count);
            throw new InvalidOperationException("a user's error");
        });
        for (int i = 0; i < 10; i++)
            await pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(5)).Ended();
        await Wait.UntilAsync(() => Volatile.Read(ref last) == 10, "the tenth callback");
        Assert.Equal(10, await counter.Reaches(10));
        Assert.Null(pair.Receiver.Failure);
        counter.OnCount(null);
        await pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(5)).Ended();
        Assert.Equal(11, await counter.Reaches(11));
        Assert.Equal(10, Volatile.Read(ref last));
    }

    [Fact]
    public async Task ASlotIsReusedOnlyAfterAConfirmedDrainAndItsLateImmediatesAreCountedAsStale()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.MaxCounters = 1);
        ImmCounter first = pair.Receiver.AllocateCounter();
        await pair.Sender.SubmitImmediate(pair.Peer, first.Immediate).Ended();
        await first.Reaches(1);
        Assert.Throws<InvalidOperationException>(() => pair.Receiver.AllocateCounter());
        first.Dispose();
        using ImmCounter second = pair.Receiver.AllocateCounter();
        Assert.NotEqual(first.Immediate, second.Immediate);
        await pair.Sender.SubmitImmediate(pair.Peer, first.Immediate).Ended();
        await Wait.UntilAsync(() => pair.Receiver.GetStatistics().StaleImmediates == 1, "the stale immediate");
        Assert.Equal(0, second.Value);
        second.Dispose();
        Assert.Equal(1, pair.Receiver.GetStatistics().CountersQuarantined);
        InvalidOperationException full = Assert.Throws<InvalidOperationException>(() => pair.Receiver.AllocateCounter());
        Assert.Contains("quarantine (1)", full.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TooManyEarlyNumbersFaultThePeerThatSentThem()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.MaxNumbers = 4);
        var failed = new TaskCompletionSource<PeerFailedException>();
        using IDisposable registration = pair.Receiver.OnPeerFailed((_, failure) => failed.TrySetResult(failure));
        for (uint number = 1; number <= 12; number++)
            pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(number)).Forget();
        Assert.Contains("5th distinct number", (await failed.Task.WaitAsync(EnginePair.Limit)).Message, StringComparison.Ordinal);
        Assert.Null(pair.Receiver.Failure);
    }

    [Fact]
    public void NumberZeroIsReserved()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Immediate.FromNumber(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Immediate.FromNumber(1u << 31));
        Assert.True(Immediate.None.IsNone);
    }

    [Fact]
    public void AnImmediateIsFifteenBitsOfSlotSixOfGenerationTenOfUnits()
    {
        Immediate immediate = Immediate.ForCounter(0x7fff, 0x3f);
        Assert.Equal((0x7fff, 0x3f, 0), (immediate.Slot, immediate.Generation, immediate.Units));
        Assert.Equal(uint.MaxValue, immediate.OnWire(1023));
        Assert.Equal(12345u, Immediate.FromNumber(12345).OnWire(9));
    }
}
