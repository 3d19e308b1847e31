using Garden.Kernels.Tests.KvCache;
using Garden.KvCache;

namespace Garden.Kernels.Tests.Writes;

/// <summary>Lists of writes of any length and alignment against copies on the CPU, byte for byte.</summary>
public abstract class DeviceWriteListTests
{
    private static readonly int[] s_lengths = [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 63, 64, 100, 255, 256, 1000, 4096, 14_336, 16_384, 16_385, 40_001];

    protected abstract KernelDevice Device { get; }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void AnyLengthAtAnyAlignment(int lanes)
    {
        using var list = new DeviceWriteList(Device, capacity: 3);
        var random = new Random(lanes);
        var writes = new List<(int From, int To, int Length)>();
        int from = 0, to = 0;
        foreach (int length in s_lengths)
        {
            // Every distance between the two addresses' remainders: each takes other words of other vectors.
            foreach (int skew in length < 300 ? [.. Enumerable.Range(0, 16)] : (int[])[0, 8, 4, 3])
            {
                from += random.Next(40);
                to = (to & ~15) + 16 + ((from + skew) & 15);
                writes.Add((from, to, length));
                from += length;
                to += length + random.Next(3);
            }
        }

        byte[] source = TestBytes.Random(random, from + 64), target = TestBytes.Poisoned(to + 64);
        using DeviceBuffer sourceMemory = TestBytes.Upload(Device, source), targetMemory = TestBytes.Upload(Device, target);
        foreach ((int at, int go, int length) in writes)
        {
            list.Add(sourceMemory.Address + at, targetMemory.Address + go, length);
            source.AsSpan(at, length).CopyTo(target.AsSpan(go));
        }

        Assert.Equal(writes.Sum(static write => (long)write.Length), list.Bytes);
        list.Execute(Device.DefaultStream, lanes);
        TestBytes.Same(target, TestBytes.Download(targetMemory), $"writes with {lanes} lanes");
    }

    [Fact]
    public void RandomLists()
    {
        using var list = new DeviceWriteList(Device);
        using DeviceBuffer sourceMemory = Device.Allocate(1 << 16), targetMemory = Device.Allocate(1 << 16);
        Gen.Int.Sample(
            seed =>
            {
                var random = new Random(seed);
                byte[] source = TestBytes.Random(random, 1 << 16), target = TestBytes.Poisoned(1 << 16);
                sourceMemory.Write(source);
                targetMemory.Write(target);
                list.Clear();
                for (int to = random.Next(20); to < target.Length - 2100;)
                {
                    int length = random.Next(4) == 0 ? random.Next(2000) : random.Next(70);
                    int from = random.Next(source.Length - length);
                    list.Add(sourceMemory.Address + from, targetMemory.Address + to, length);
                    source.AsSpan(from, length).CopyTo(target.AsSpan(to));
                    to += length + random.Next(20);
                }

                list.Execute(Device.DefaultStream);
                TestBytes.Same(target, TestBytes.Download(targetMemory), $"seed {seed}");
            },
            iter: 10,
            threads: 1);
    }

    [Fact]
    public void AnUploadedListIsExecutedAgainAndAChangedOneIsReadAnew()
    {
        byte[] bytes = TestBytes.Random(new Random(3), 3000);
        using var list = new DeviceWriteList(Device, capacity: 2);
        using DeviceBuffer source = TestBytes.Upload(Device, bytes), destination = TestBytes.Upload(Device, TestBytes.Poisoned(3000));
        list.Add(source.Address, destination.Address, 1000);
        list.Upload(Device.DefaultStream);
        list.Execute(Device.DefaultStream);
        Device.DefaultStream.Fill(destination.Address, TestBytes.Poison, 500);
        list.Execute(Device.DefaultStream);
        byte[] expected = TestBytes.Poisoned(3000);
        bytes.AsSpan(0, 1000).CopyTo(expected);
        TestBytes.Same(expected, TestBytes.Download(destination), "executed twice");
        // Grows as well: the copy on the device has no room for it.
        list.Add(source.Address + 1000, destination.Address + 1000, 900);
        list.Add(source.Address + 1900, destination.Address + 1900, 1100);
        list.Execute(Device.DefaultStream);
        list.Upload(Device.DefaultStream);
        TestBytes.Same(bytes, TestBytes.Download(destination), "changed after the upload");
        Device.DefaultStream.Fill(destination.Address, TestBytes.Poison, 3000);
        list.Execute(Device.DefaultStream);
        TestBytes.Same(bytes, TestBytes.Download(destination), "uploaded again");
    }

    [Fact]
    public void AGeneratedPlanGoesWhereItsDescriptorsSay()
    {
        const int Tokens = 70;
        int[] from = [4, 0, 2], to = [1, 3, 0];
        var random = new Random(5);
        byte[] source = TestBytes.Random(random, LlamaTp4.PoolBytes(5)), target = TestBytes.Poisoned(LlamaTp4.PoolBytes(4));
        using DeviceBuffer sourceMemory = TestBytes.Upload(Device, source), targetMemory = TestBytes.Upload(Device, target);
        using PageList fromPages = PageList.Create(from), toPages = PageList.Create(to);
        using var regions = new TestRegions(source.Length, target.Length);
        LlamaTp4.Transfer plan = LlamaTp4.Transfer.Create(new KvTransferArguments
        {
            Source = regions.Source,
            Destination = regions.Destination,
            SourcePoolPages = 5,
            DestinationPoolPages = 4,
            TokenCount = Tokens,
            LayerCount = LlamaTp4.Layers,
            SourcePages = fromPages.Handle,
            DestinationPages = toPages.Handle,
        });
        using var list = new DeviceWriteList(Device);
        list.MapRegion(regions.Source, sourceMemory.Address, sourceMemory.Length);
        list.MapRegion(regions.Destination, targetMemory.Address, targetMemory.Length);
        list.Add(in plan);
        Assert.Equal(LlamaTp4.Transfer.CountBytes(in plan), list.Bytes);
        list.Execute(Device.DefaultStream);
        for (int layer = 0; layer < LlamaTp4.Layers; layer++)
        {
            for (int i = 0; i < from.Length; i++)
            {
                for (int plane = 0; plane < 2; plane++)
                    source.AsSpan((int)LlamaTp4.PlaneOffset(5, layer, from[i], plane), (int)LlamaTp4.BytesPerPlane).CopyTo(target.AsSpan((int)LlamaTp4.PlaneOffset(4, layer, to[i], plane)));
            }
        }

        TestBytes.Same(target, TestBytes.Download(targetMemory), "generated plan");
    }

    [Fact]
    public void UnknownRegionsAndRangesOutsideThemAreRefused()
    {
        using DeviceBuffer memory = Device.Allocate(100);
        using var list = new DeviceWriteList(Device);
        using var regions = new TestRegions(100, 100);
        list.MapRegion(regions.Source, memory.Address, memory.Length);
        WriteDescriptor good = WriteDescriptor.Create(regions.Source, 0, regions.Source, 50, 50, default, 1);
        WriteDescriptor unknown = WriteDescriptor.Create(regions.Source, 0, regions.Destination, 0, 10, default, 1);
        WriteDescriptor outside = WriteDescriptor.Create(regions.Source, 51, regions.Source, 0, 50, default, 1);
        WriteDescriptor before = WriteDescriptor.Create(regions.Source, 0, regions.Source, -1, 50, default, 1);
        Assert.Contains("is not mapped", Assert.Throws<PlanException>(() => list.Add([good, unknown])).Message, StringComparison.Ordinal);
        Assert.Contains("[51, 51 + 50) lies outside", Assert.Throws<PlanException>(() => list.Add([good, outside])).Message, StringComparison.Ordinal);
        Assert.Contains("[-1, -1 + 50) lies outside", Assert.Throws<PlanException>(() => list.Add([before])).Message, StringComparison.Ordinal);
        Assert.Equal(0, list.Count);
        list.Add([good, WriteDescriptor.Create(regions.Source, 0, regions.Destination, 0, 0, default, 1)]);
        Assert.Equal((1, 50L), (list.Count, list.Bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => list.Execute(Device.DefaultStream, lanes: 3));
    }
}

public sealed class CpuDeviceWriteListTests : DeviceWriteListTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaDeviceWriteListTests : DeviceWriteListTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
