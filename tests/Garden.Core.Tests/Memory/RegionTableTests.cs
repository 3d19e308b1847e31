namespace Garden.Core.Tests.Memory;

public unsafe class RegionTableTests
{
    [Fact]
    public void RowKeepsWhatWasAdded()
    {
        var table = new RegionTable(8);
        RegionHandle handle = table.Add(RegionState.Local, -1, 2, 4096, [0x1000], [11, 22]);
        RegionEntry* entry = table.Find(handle);
        Assert.True(entry is not null);
        Assert.Equal((RegionState.Local, -1, 2), (entry->State, entry->Peer, entry->Device));
        Assert.Equal((0x1000ul, 4096L, 11ul, 22ul), (entry->Bases[0], entry->Length, entry->Keys[0], entry->Keys[1]));
        Assert.Equal(1, table.Count);
    }

    [Fact]
    public void L9_StaleAndForeignHandlesFindNothing()
    {
        var table = new RegionTable(8);
        RegionHandle handle = table.Add(RegionState.Local, -1, 0, 4096, [0x1000], [1]);
        Assert.True(table.Remove(handle));
        Assert.False(table.Remove(handle));
        Assert.True(table.Find(handle) is null);
        Assert.True(table.Find(default) is null);
        Assert.True(table.Find(new RegionHandle(7, 1)) is null);
        Assert.True(table.Find(new RegionHandle((1 << RegionHandle.IndexBits) - 1, RegionHandle.MaxGeneration)) is null);
        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void L11_SameMemoryRegisteredAgainIsAnotherRegion()
    {
        var table = new RegionTable(1);
        RegionHandle first = table.Add(RegionState.Local, -1, 0, 4096, [0x1000], [1]);
        table.Remove(first);
        RegionHandle second = table.Add(RegionState.Local, -1, 0, 4096, [0x1000], [1]);
        Assert.NotEqual(first, second);
        Assert.True(table.Find(first) is null);
        Assert.True(table.Find(second) is not null);
    }

    [Fact]
    public void RowsAreReusedLastInLine()
    {
        var table = new RegionTable(4);
        RegionHandle[] handles = [.. Enumerable.Range(0, 4).Select(_ => table.Add(RegionState.Local, -1, 0, 1, [1], [1]))];
        table.Remove(handles[2]);
        table.Remove(handles[0]);
        Assert.Equal(2, table.Add(RegionState.Local, -1, 0, 1, [1], [1]).Index);
        Assert.Equal(0, table.Add(RegionState.Local, -1, 0, 1, [1], [1]).Index);
        PlanException full = Assert.Throws<PlanException>(() => table.Add(RegionState.Local, -1, 0, 1, [1], [1]));
        Assert.Contains("4", full.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GenerationsWrapWithoutZero()
    {
        var table = new RegionTable(1);
        var seen = new HashSet<RegionHandle>();
        for (int i = 0; i < RegionHandle.MaxGeneration; i++)
        {
            RegionHandle handle = table.Add(RegionState.Local, -1, 0, 1, [1], [1]);
            Assert.False(handle.IsNone);
            Assert.True(seen.Add(handle));
            table.Remove(handle);
        }

        Assert.Equal(1, table.Add(RegionState.Local, -1, 0, 1, [1], [1]).Generation);
    }

    [Fact]
    public void ClosingRefusesNewTransfersAndCanBeTakenBack()
    {
        var table = new RegionTable(4);
        RegionHandle handle = table.Add(RegionState.Local, -1, 0, 100, [1], [1]);
        Assert.True(table.TryClose(handle));
        Assert.False(table.TryClose(handle));
        Assert.Throws<PlanException>(() => new PlanValidator(table).RequireSource(handle, 0, 1));
        table.Reopen(handle);
        new PlanValidator(table).RequireSource(handle, 0, 100);
    }

    [Fact]
    public void RemovingAPeerTakesItsRegionsOnly()
    {
        var table = new RegionTable(8);
        RegionHandle local = table.Add(RegionState.Local, -1, 0, 1, [1], [1]);
        RegionHandle one = table.Add(RegionState.Remote, 1, 0, 1, [0], [1]);
        RegionHandle two = table.Add(RegionState.Remote, 2, 0, 1, [0], [1]);
        RegionHandle oneMore = table.Add(RegionState.Remote, 1, 0, 1, [0], [1]);
        table.RemovePeer(1, 0);
        Assert.True(table.Find(one) is null && table.Find(oneMore) is null);
        Assert.True(table.Find(local) is not null && table.Find(two) is not null);
        Assert.Equal(2, table.Count);
    }
}
