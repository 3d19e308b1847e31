using CsCheck;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvPagePoolTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    [Fact]
    public void Pages_are_handed_out_in_order_and_come_back()
    {
        var pool = new KvPagePool([7, 3, 5]);
        KvPageLease lease = pool.TryLease(2)!;
        Assert.Equal([7, 3], lease.Pages.ToArray());
        Assert.Null(pool.TryLease(2));
        Assert.Equal((1, 2, 0), (pool.FreePages, pool.LeasedPages, pool.LeakedPages));
        lease.Dispose();
        lease.Dispose();
        Assert.Equal((3, 0, 0), (pool.FreePages, pool.LeasedPages, pool.LeakedPages));
    }

    [Fact]
    public void L8_leaked_pages_are_counted_and_never_come_back()
    {
        var pool = new KvPagePool(4);
        KvPageLease lease = pool.TryLease(3)!;
        lease.Leak();
        lease.Dispose();
        Assert.Equal(KvLeaseState.Leaked, lease.State);
        Assert.Equal((1, 0, 3), (pool.FreePages, pool.LeasedPages, pool.LeakedPages));
        Assert.Equal([3], pool.TryLease(1)!.Pages.ToArray());
        Assert.Throws<PlanException>(() => pool.TryLease(2));
    }

    [Fact]
    public void A_lease_splits_into_leases_that_end_on_their_own()
    {
        var pool = new KvPagePool(5);
        KvPageLease rest = pool.TryLease(5)!;
        KvPageLease front = rest.TakeFront(2);
        Assert.Equal([0, 1], front.Pages.ToArray());
        Assert.Equal([2, 3, 4], rest.Pages.ToArray());
        front.Dispose();
        Assert.Equal(2, pool.FreePages);
        rest.Dispose();
        Assert.Equal(5, pool.FreePages);
        Assert.Throws<InvalidOperationException>(() => rest.TakeFront(1));
    }

    [Fact]
    public void Bad_orders_are_refused_by_name()
    {
        Assert.Contains("Page 2 is listed twice", Assert.Throws<PlanException>(() => new KvPagePool([2, 1, 2])).Message, StringComparison.Ordinal);
        Assert.Throws<PlanException>(() => new KvPagePool([-1]));
    }

    [Fact]
    public async Task A_wait_is_granted_in_line_when_pages_come_back()
    {
        var pool = new KvPagePool(4);
        KvPageLease held = pool.TryLease(3)!;
        Task<KvPageLease> large = pool.LeaseAsync(4, s_limit).AsTask();
        Task<KvPageLease> small = pool.LeaseAsync(1, s_limit).AsTask();
        Assert.False(small.IsCompleted);
        held.Dispose();
        (await large.WaitAsync(s_limit)).Dispose();
        Assert.Equal(1, (await small.WaitAsync(s_limit)).Count);
        Assert.Equal(3, pool.FreePages);
    }

    [Fact]
    public async Task A_wait_ends_at_its_deadline_and_lets_the_next_one_pass()
    {
        var pool = new KvPagePool(2);
        KvPageLease held = pool.TryLease(1)!;
        using var cancel = new CancellationTokenSource();
        Task<KvPageLease> large = pool.LeaseAsync(2, s_limit, cancel.Token).AsTask();
        Task<KvPageLease> small = pool.LeaseAsync(1, s_limit).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large.WaitAsync(s_limit));
        Assert.Equal(1, (await small.WaitAsync(s_limit)).Count);
        Assert.Contains("2 pages did not become free", (await Assert.ThrowsAsync<TimeoutException>(() => pool.LeaseAsync(2, TimeSpan.FromMilliseconds(1)).AsTask())).Message, StringComparison.Ordinal);
        held.Dispose();
        Assert.Equal(1, pool.FreePages);
    }

    [Fact]
    public void No_page_is_held_twice_whatever_is_leased_and_returned() =>
        Gen.Int[1, 40].List[1, 200].Sample(steps =>
        {
            var pool = new KvPagePool(64);
            var held = new List<KvPageLease>();
            var random = new Random(steps.Count);
            foreach (int step in steps)
            {
                if (step % 3 == 0 && held.Count > 0)
                {
                    int index = random.Next(held.Count);
                    held[index].Dispose();
                    held.RemoveAt(index);
                }
                else if (pool.TryLease(step) is { } lease)
                {
                    held.Add(lease);
                }

                int[] pages = [.. held.SelectMany(lease => lease.Pages.ToArray())];
                Assert.Equal(pages.Length, pages.Distinct().Count());
                Assert.Equal(64 - pages.Length, pool.FreePages);
            }
        });
}
