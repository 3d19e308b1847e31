using Garden.Kernels.Nvlink;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>The end of a registration while its NIC ends, or while a writer does not.</summary>
public sealed unsafe class LocalRegionsTests
{
    [Fact]
    public void T1_ANicThatIsDisposedUnderAnUnregistrationStaysMappedForIt()
    {
        KernelDevice device = TestDevices.Cpu;
        using DeviceBuffer buffer = device.Allocate(4096);
        var segment = new OwnSegment(device);
        OpenLink(segment);
        LocalRegions? regions = null;
        int woken = 0;
        // Called between two looks at the link, as a NIC's disposal on another thread may be.
        regions = new LocalRegions(device, segment, _ =>
        {
            woken++;
            segment.LinkAt(0)->Acknowledged = ulong.MaxValue;
            regions!.Dispose();
            segment.Dispose();
        });
        regions.Unregister(regions.Register(buffer.Address, buffer.Length, device.MemoryKind).LocalKey);
        Assert.Equal(1, woken);
        Assert.Throws<ObjectDisposedException>(() => segment.Done);
    }

    [Fact]
    public void L8_AfterAnUnregistrationThatFailedTheNextOneWaitsAgain()
    {
        KernelDevice device = TestDevices.Cpu;
        using DeviceBuffer buffer = device.Allocate(4096);
        using var segment = new OwnSegment(device);
        OpenLink(segment);
        int woken = 0;
        using var regions = new LocalRegions(device, segment, _ =>
        {
            if (woken++ == 0)
                throw new FabricException("not shown");
            segment.LinkAt(0)->Acknowledged = ulong.MaxValue;
        });
        ulong key = regions.Register(buffer.Address, buffer.Length, device.MemoryKind).LocalKey;
        Assert.Throws<FabricException>(() => regions.Unregister(key));
        Assert.False(regions.IsKnown(key));
        // The row is not given to anybody else meanwhile.
        Assert.NotEqual(key & Segment.IndexMask, regions.Register(buffer.Address, buffer.Length, device.MemoryKind).LocalKey & Segment.IndexMask);
        regions.Unregister(key);
        Assert.Equal(2, woken);
        regions.Unregister(key);
        Assert.Equal(2, woken);
    }

    /// <summary>A link over which a writer of this process has opened something of the NIC's memory.</summary>
    private static void OpenLink(OwnSegment segment)
    {
        LinkRow* link = segment.LinkAt(0);
        (link->WriterProcess, link->Opened) = (Environment.ProcessId, 1);
        link->State = (int)LinkState.Open;
        segment.Header->HighWater = 1;
    }
}
