using Garden.Testing;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>A trainer rank stays in a step as long as another one gathers from it, whatever has become of its own receivers.</summary>
public sealed class WeightBarrierTests
{
    [Fact]
    public async Task A_rank_lends_parts_of_blocks_after_its_own_receivers_have_everything()
    {
        await using BorderFleet fleet = await BorderFleet.CreateAsync();
        (Task<WeightVersion>[] receiving, Task<WeightStepReport>[] updates) = Begin(fleet, WeightFleet.Limit);
        await UntilAsync(() => updates[fleet.Holder].IsCompleted || fleet.Senders[fleet.Holder].IsServing, "the holder serving only");
        Assert.False(updates[fleet.Holder].IsCompleted);
        fleet.Gate.Open();
        foreach (WeightStepReport report in await Task.WhenAll(updates))
        {
            Assert.True(report.IsComplete, $"{report}");
            Assert.Empty(report.LateTrainers);
        }

        await Task.WhenAll(receiving);
        foreach (WeightReceiver<BorderMap> receiver in fleet.Receivers)
            fleet.Verify(receiver.Rank);
    }

    [Fact]
    public async Task H2_a_rank_whose_receivers_have_died_lends_parts_of_blocks_all_the_same()
    {
        await using BorderFleet fleet = await BorderFleet.CreateAsync();
        int[] dead = [.. fleet.Senders[fleet.Holder].ReceiverRanks];
        foreach (int rank in dead)
            fleet.Network.KillDevice($"inference{rank}");
        (Task<WeightVersion>[] receiving, Task<WeightStepReport>[] updates) = Begin(fleet, WeightFleet.Limit);
        await UntilAsync(() => updates[fleet.Holder].IsCompleted || fleet.Senders[fleet.Holder].IsServing, "the holder serving only");
        Assert.False(updates[fleet.Holder].IsCompleted);
        fleet.Gate.Open();
        WeightStepReport report = await updates[fleet.Requester];
        Assert.Equal(fleet.Senders[fleet.Requester].ReceiverRanks.Intersect(dead), report.Failures.Select(static failure => failure.Rank));
        Assert.Equal(dead.Order(), (await updates[fleet.Holder]).Failures.Select(static failure => failure.Rank));
        foreach (int rank in fleet.Senders[fleet.Requester].ReceiverRanks.Except(dead))
        {
            await receiving[rank];
            fleet.Verify(rank);
        }

        await Task.WhenAll([.. receiving, .. updates]).ContinueWith(static _ => { }, TaskScheduler.Default);
    }

    [Fact]
    public async Task H2_a_rank_does_not_stay_for_one_that_died()
    {
        await using BorderFleet fleet = await BorderFleet.CreateAsync();
        (_, Task<WeightStepReport>[] updates) = Begin(fleet, WeightFleet.Limit);
        await UntilAsync(() => fleet.Senders[fleet.Holder].IsServing, "the holder serving only");
        fleet.Network.KillDevice($"trainer{fleet.Requester}");
        WeightStepReport report = await updates[fleet.Holder].WaitAsync(WeightFleet.Limit / 2);
        Assert.True(report.IsComplete);
        Assert.Empty(report.LateTrainers);
    }

    [Fact]
    public async Task H3_a_rank_does_not_stay_beyond_its_deadline()
    {
        await using BorderFleet fleet = await BorderFleet.CreateAsync();
        Task<WeightVersion>[] receiving = [.. fleet.Receivers.Select(static receiver => receiver.ReceiveAsync(1, WeightFleet.Limit))];
        using var cancellation = new CancellationTokenSource();
        // The requester never begins the step.
        Task<WeightStepReport>[] updates = [.. fleet.Senders.Where(sender => sender.Rank != fleet.Requester).Select(sender => sender.UpdateAsync(1, WeightFleet.Limit, cancellation.Token))];
        await UntilAsync(() => fleet.Senders[fleet.Holder].IsServing, "the holder serving only");
        await cancellation.CancelAsync();
        WeightStepReport report = await updates[fleet.Holder > fleet.Requester ? fleet.Holder - 1 : fleet.Holder];
        Assert.True(report.IsComplete);
        Assert.Equal([fleet.Requester], report.LateTrainers);
        // It comes late, and hears that at once.
        fleet.Gate.Open();
        WeightUpdateException refused = await Assert.ThrowsAsync<WeightUpdateException>(() => fleet.Senders[fleet.Requester].UpdateAsync(1, WeightFleet.Limit).WaitAsync(WeightFleet.Limit / 2));
        Assert.Contains("it is past step 1", refused.Message, StringComparison.Ordinal);
        await Task.WhenAll([.. receiving, .. updates]).ContinueWith(static _ => { }, TaskScheduler.Default);
    }

    [Fact]
    public async Task No_counter_is_lost_to_ranks_that_send_nothing()
    {
        await using BorderFleet fleet = await BorderFleet.CreateAsync(everybody: true);
        fleet.Gate.Open();
        (Task<WeightVersion>[] receiving, Task<WeightStepReport>[] updates) = Begin(fleet, WeightFleet.Limit);
        Assert.All(await Task.WhenAll(updates), static report => Assert.True(report.IsComplete));
        await Task.WhenAll(receiving);
        Assert.All(fleet.Engines, static engine => Assert.Equal(0, engine.GetStatistics().CountersQuarantined));
    }

    private static (Task<WeightVersion>[] Receiving, Task<WeightStepReport>[] Updates) Begin(BorderFleet fleet, TimeSpan deadline) => (
        [.. fleet.Receivers.Select(receiver => receiver.ReceiveAsync(1, deadline))],
        [.. fleet.Senders.Select(sender => sender.UpdateAsync(1, deadline))]);

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var deadline = Deadline.In(WeightFleet.Limit);
        while (!condition())
        {
            deadline.Check(() => what);
            await Task.Delay(5);
        }
    }
}
