using Garden.Testing;

namespace Garden.Core.Tests.Memory;

/// <summary>Tests that rent native blocks run one after another: they look at the process-wide count of rented ones.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class NativeListsCollection
{
    public const string Name = "native lists";
}

[Collection(NativeListsCollection.Name)]
public class NativeListTests
{
    [Fact]
    public void ListKeepsItsPagesAndRange()
    {
        Gen.Int[0, int.MaxValue].Array[0, 300].Sample(
            pages =>
            {
                using PageList list = PageList.Create(pages);
                Assert.Equal(pages, list.Items.ToArray());
                Assert.Equal(pages.Length, list.Count);
                Assert.Equal(pages.DefaultIfEmpty(0).Min(), list.Handle.Minimum);
                Assert.Equal(pages.DefaultIfEmpty(-1).Max(), list.Handle.Maximum);
            },
            threads: 1);
    }

    [Fact]
    public void NegativePageIsNamed()
    {
        PlanException thrown = Assert.Throws<PlanException>(() => PageList.Create([1, 2, -7, 3]));
        Assert.Contains("-7 at position 2", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RetainedListOutlivesItsOwner()
    {
        long before = NativeBlock.Outstanding;
        PageList list = PageList.Create([1, 2, 3]);
        PageListHandle handle = list.Handle;
        handle.Retain();
        list.Dispose();
        list.Dispose();
        Assert.True(handle.IsLive);
        Assert.Equal(before + 1, NativeBlock.Outstanding);
        handle.Release();
        Assert.False(handle.IsLive);
        Assert.Equal(before, NativeBlock.Outstanding);
        Assert.Throws<ObjectDisposedException>(() => list.Handle);
    }

    [Fact]
    public void L11_StaleHandleIsNotTheListThatReusesItsMemory()
    {
        PageList first = PageList.Create([1, 2, 3]);
        PageListHandle stale = first.Handle;
        first.Dispose();
        using PageList second = PageList.Create([4, 5, 6]);
        Assert.False(stale.IsLive);
        Assert.True(second.Handle.IsLive);
        Assert.Throws<ObjectDisposedException>(() => stale.Retain());
        Assert.True(second.Handle.IsLive);
    }

    [Fact]
    public void DefaultHandleIsAnEmptyList()
    {
        PageListHandle none = default;
        Assert.False(none.IsLive);
        Assert.Equal((0, 0, -1), (none.Count, none.Minimum, none.Maximum));
        none.Retain();
        none.Release();
    }

    [Fact]
    public void BlocksComeBackFromEverySizeClass()
    {
        long before = NativeBlock.Outstanding;
        for (int count = 0; count < 100_000; count = (count * 2) + 1)
        {
            using PageList list = PageList.Create(new int[count]);
            Assert.Equal(count, list.Count);
        }

        Assert.Equal(before, NativeBlock.Outstanding);
    }

    [Fact]
    public void ConcurrentRetainAndDisposeLeaveNothingBehind()
    {
        long before = NativeBlock.Outstanding;
        long retained = 0;
        for (int round = 0; round < 300; round++)
        {
            PageList list = PageList.Create([round, round + 1]);
            PageListHandle handle = list.Handle;
            using var start = new System.Threading.Barrier(3);
            Thread[] threads = [.. Enumerable.Range(0, 2).Select(_ => new Thread(Run) { IsBackground = true, Name = "retainer" })];
            Array.ForEach(threads, thread => thread.Start());
            start.SignalAndWait(Deadline.Default.Left);
            list.Dispose();
            // The block is rented again while stale retains are going on.
            using PageList reuse = PageList.Create([7, 8]);
            Deadline.Default.Join(threads, () => $"round {round}");
            Assert.Equal([7, 8], reuse.Items.ToArray());
            Assert.True(reuse.Handle.IsLive);
            Assert.False(handle.IsLive);

            void Run()
            {
                start.SignalAndWait(Deadline.Default.Left);
                for (int i = 0; i < 100; i++)
                {
                    try
                    {
                        handle.Retain();
                    }
                    catch (ObjectDisposedException)
                    {
                        return;
                    }

                    Interlocked.Increment(ref retained);
                    handle.Release();
                }
            }
        }

        Assert.Equal(before, NativeBlock.Outstanding);
    }
}
