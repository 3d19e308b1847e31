using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>What other ranks say about steps, early, late and after all.</summary>
public sealed class WeightStepMailboxTests
{
    [Fact]
    public async Task What_was_said_of_a_step_stays_when_later_steps_follow()
    {
        var mailbox = new WeightStepMailbox<string>();
        mailbox.Post(5, "five");
        mailbox.Post(6, "six");
        mailbox.Post(long.MaxValue, "never");
        Assert.Equal("five", await mailbox.TakeAsync(5, TestContext.Current.CancellationToken));
        Assert.Equal("six", await mailbox.TakeAsync(6, TestContext.Current.CancellationToken));
        mailbox.Post(4, "late");
        Assert.Null(mailbox.Find(4));
        Assert.Null(mailbox.Find(5));
        mailbox.Fail(new WeightUpdateException(6, "gone"));
        Assert.Equal("six", await mailbox.TakeAsync(6, TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<WeightUpdateException>(() => mailbox.TakeAsync(7, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_rank_that_is_ahead_ends_the_wait_and_fills_no_memory()
    {
        var mailbox = new WeightStepMailbox<string>();
        Task<string> waiting = mailbox.TakeAsync(3, TestContext.Current.CancellationToken);
        mailbox.Post(4, "four");
        Assert.Contains("step 4 already", (await Assert.ThrowsAsync<WeightUpdateException>(() => waiting)).Message, StringComparison.Ordinal);
        for (long step = 5; step < 1000; step++)
            mailbox.Post(step, "more");
        Assert.InRange(Enumerable.Range(0, 1000).Count(step => mailbox.Find(step) is not null), 1, 64);
        Assert.Equal("more", await mailbox.TakeAsync(999, TestContext.Current.CancellationToken));
    }
}
