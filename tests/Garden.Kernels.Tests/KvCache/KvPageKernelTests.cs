using Garden.Kernels.KvCache;
using Garden.KvCache;

namespace Garden.Kernels.Tests.KvCache;

/// <summary>Gather, scatter and page copies against the layout's own functions on the CPU, byte for byte, guard bytes included.</summary>
public abstract class KvPageKernelTests
{
    private const int Guard = 48;

    protected abstract KernelDevice Device { get; }

    [Fact]
    public void DeepSeekLatents() => Check<DeepSeek>();

    [Fact]
    public void DeepSeekLatentsPageMajor() => Check<DeepSeekPageMajor>();

    [Fact]
    public void LlamaOneHead() => Check<LlamaTp8>();

    [Fact]
    public void LlamaSeparatePlanes() => Check<LlamaTp1>();

    [Fact]
    public void QwenTwoHeads() => Check<QwenTp2>();

    [Fact]
    public void QwenHeadMajor() => Check<QwenHnd>();

    [Fact]
    public void RowsOfThreeBytes() => Check<Bytes3Separate>();

    [Fact]
    public void RowsOfThreeBytesHeadMajor() => Check<Bytes3Hnd>();

    [Fact]
    public void RowsOfSixBytesHeadMajor() => Check<Bytes6Hnd>();

    [Fact]
    public void RowsOfSixBytesPageMajor() => Check<Bytes6Tp3>();

    [Fact]
    public void PagesOfOneToken() => Check<Bytes8OneToken>();

    [Fact]
    public void RowsOfEightBytesHeadMajor() => Check<Bytes8Tp6>();

    [Fact]
    public void LatentsOfTenBytes() => Check<Latent10PageMajor>();

    [Fact]
    public void NothingToCopyLaunchesNothing()
    {
        using var kernels = new KvPageKernels<Latent10>(Device);
        using DeviceBuffer pool = Device.Allocate(Latent10.PoolBytes(2)), out1 = Device.Allocate(1);
        using DevicePageList none = DevicePageList.Create(Device, []);
        kernels.Gather(Device.DefaultStream, new KvDevicePool(pool, 2), none, 0, 2, 0, out1);
        kernels.Gather(Device.DefaultStream, new KvDevicePool(pool, 2), none, 2, 0, 0, out1);
        kernels.CopyPages(Device.DefaultStream, new KvDevicePool(pool, 2), none, new KvDevicePool(pool, 2), none, 0, 2);
        Device.DefaultStream.Synchronize();
    }

    [Fact]
    public void BadInputIsRefusedBeforeTheLaunch()
    {
        using var kernels = new KvPageKernels<Latent10>(Device);
        using DeviceBuffer memory = Device.Allocate(Latent10.PoolBytes(4)), out1 = Device.Allocate(Latent10.BytesPerToken * 8 * 2), floats = Device.Allocate(Latent10.PoolBytes(4), 4);
        using DevicePageList pages = DevicePageList.Create(Device, [3, 0]), outside = DevicePageList.Create(Device, [1, 4]), one = DevicePageList.Create(Device, [1]);
        var pool = new KvDevicePool(memory, 4);
        DeviceStream stream = Device.DefaultStream;
        Assert.Contains("4 is outside the pool of 4 pages", Assert.Throws<PlanException>(() => kernels.Gather(stream, pool, outside, 0, 1, 8, out1)).Message, StringComparison.Ordinal);
        Assert.Contains("has 2 entries, but 3 are needed", Assert.Throws<PlanException>(() => kernels.Gather(stream, pool, pages, 0, 1, 9, out1)).Message, StringComparison.Ordinal);
        Assert.Contains("Layers [1, 1 + 2)", Assert.Throws<PlanException>(() => kernels.Gather(stream, pool, pages, 1, 2, 8, out1)).Message, StringComparison.Ordinal);
        Assert.Contains("at offset 1", Assert.Throws<PlanException>(() => kernels.Gather(stream, pool, pages, 0, 2, 8, out1, offset: 1)).Message, StringComparison.Ordinal);
        Assert.Contains("needs", Assert.Throws<PlanException>(() => kernels.Gather(stream, pool with { Pages = 5 }, pages, 0, 2, 8, out1)).Message, StringComparison.Ordinal);
        Assert.Contains("elements of 4 bytes", Assert.Throws<PlanException>(() => kernels.Gather(stream, new KvDevicePool(floats, 4), pages, 0, 1, 8, out1)).Message, StringComparison.Ordinal);
        Assert.Contains("elements of 4 bytes", Assert.Throws<PlanException>(() => kernels.Scatter(stream, floats, 0, pool, pages, 0, 1, 8)).Message, StringComparison.Ordinal);
        Assert.Contains("equal lengths", Assert.Throws<PlanException>(() => kernels.CopyPages(stream, pool, pages, pool, one, 0, 1)).Message, StringComparison.Ordinal);
        Assert.Contains("position 1 is negative", Assert.Throws<PlanException>(() => DevicePageList.Create(Device, [1, -1])).Message, StringComparison.Ordinal);
    }

    /// <summary>A kernel on memory that its device does not reach ends the device's context, and with it everybody's work there.</summary>
    [Fact]
    public void MemoryOfAnotherDeviceIsRefusedBeforeTheLaunch()
    {
        using CpuDevice other = KernelDevice.OpenCpu();
        using var kernels = new KvPageKernels<Latent10>(Device);
        using DeviceBuffer memory = Device.Allocate(Latent10.PoolBytes(4)), rows = Device.Allocate(Latent10.BytesPerToken * 8 * 2);
        using DeviceBuffer otherMemory = other.Allocate(Latent10.PoolBytes(4)), otherRows = other.Allocate(Latent10.BytesPerToken * 8 * 2);
        using DevicePageList pages = DevicePageList.Create(Device, [3, 0]);
        KvDevicePool pool = new(memory, 4), otherPool = new(otherMemory, 4);
        DeviceStream stream = Device.DefaultStream;
        Assert.Contains("destination buffer is on", Assert.Throws<ArgumentException>(() => kernels.Gather(stream, pool, pages, 0, 2, 8, otherRows)).Message, StringComparison.Ordinal);
        Assert.Contains("source buffer is on", Assert.Throws<ArgumentException>(() => kernels.Scatter(stream, otherRows, 0, pool, pages, 0, 2, 8)).Message, StringComparison.Ordinal);
        Assert.Contains("pool buffer is on", Assert.Throws<ArgumentException>(() => kernels.Gather(stream, otherPool, pages, 0, 2, 8, rows)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => kernels.CopyPages(stream, pool, pages, otherPool, pages, 0, 1));
    }

    private void Check<TLayout>()
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        using var kernels = new KvPageKernels<TLayout>(Device);
        // Odd page counts, a last page that is not full, single tokens and pages; aligned and misaligned addresses.
        foreach ((int pages, int shortBy, int offset, int seed) in new[] { (1, 0, 0, 1), (3, 1, 16, 2), (5, TLayout.TokensPerPage - 1, 3, 3), (2, 0, 8, 4) })
        {
            var random = new Random(seed);
            int poolPages = pages + 2;
            int tokens = Math.Max(1, (pages * TLayout.TokensPerPage) - shortBy);
            int firstLayer = TLayout.Layers - 1, layers = 1;
            if (seed % 2 == 0)
                (firstLayer, layers) = (0, TLayout.Layers);
            int[] list = TestBytes.Pages(random, poolPages, pages);
            GatherAndScatter(kernels, random, list, poolPages, firstLayer, layers, tokens, offset);
            CopyPages(kernels, random, list, poolPages, firstLayer, layers, offset);
        }
    }

    private void GatherAndScatter<TLayout>(KvPageKernels<TLayout> kernels, Random random, int[] list, int poolPages, int firstLayer, int layers, int tokens, int offset)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        string what = $"{typeof(TLayout).Name}, {list.Length} pages, {tokens} tokens, layers {firstLayer}+{layers}, offset {offset}";
        int poolBytes = (int)TLayout.PoolBytes(poolPages);
        int layerBytes = (int)(tokens * TLayout.BytesPerToken);
        byte[] pool = TestBytes.Random(random, offset + poolBytes + Guard);
        byte[] contiguous = TestBytes.Poisoned(offset + (layers * layerBytes) + Guard);
        using DeviceBuffer poolMemory = TestBytes.Upload(Device, pool), output = TestBytes.Upload(Device, contiguous);
        using DevicePageList pages = DevicePageList.Create(Device, list);
        kernels.Gather(Device.DefaultStream, new KvDevicePool(poolMemory, poolPages, offset), pages, firstLayer, layers, tokens, output, offset);
        for (int layer = 0; layer < layers; layer++)
            TLayout.Gather(pool.AsSpan(offset, poolBytes), poolPages, firstLayer + layer, list, tokens, contiguous.AsSpan(offset + (layer * layerBytes), layerBytes));
        TestBytes.Same(contiguous, TestBytes.Download(output), $"gather of {what}");

        byte[] input = TestBytes.Random(random, contiguous.Length);
        byte[] target = TestBytes.Poisoned(pool.Length);
        using DeviceBuffer inputMemory = TestBytes.Upload(Device, input), targetMemory = TestBytes.Upload(Device, target);
        kernels.Scatter(Device.DefaultStream, inputMemory, offset, new KvDevicePool(targetMemory, poolPages, offset), pages, firstLayer, layers, tokens);
        for (int layer = 0; layer < layers; layer++)
            TLayout.Scatter(input.AsSpan(offset + (layer * layerBytes), layerBytes), target.AsSpan(offset, poolBytes), poolPages, firstLayer + layer, list, tokens);
        TestBytes.Same(target, TestBytes.Download(targetMemory), $"scatter of {what}");
    }

    private void CopyPages<TLayout>(KvPageKernels<TLayout> kernels, Random random, int[] list, int poolPages, int firstLayer, int layers, int offset)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        int otherPages = poolPages + 1;
        int[] other = TestBytes.Pages(random, otherPages, list.Length);
        byte[] source = TestBytes.Random(random, offset + TLayout.PoolBytes(poolPages));
        byte[] target = TestBytes.Poisoned(offset + TLayout.PoolBytes(otherPages) + Guard);
        using DeviceBuffer sourceMemory = TestBytes.Upload(Device, source), targetMemory = TestBytes.Upload(Device, target);
        using DevicePageList from = DevicePageList.Create(Device, list), to = DevicePageList.Create(Device, other);
        kernels.CopyPages(Device.DefaultStream, new KvDevicePool(sourceMemory, poolPages, offset), from, new KvDevicePool(targetMemory, otherPages, offset), to, firstLayer, layers);
        for (int layer = firstLayer; layer < firstLayer + layers; layer++)
        {
            for (int plane = 0; plane < TLayout.PlaneCount; plane++)
            {
                for (int i = 0; i < list.Length; i++)
                {
                    source.AsSpan(offset + (int)TLayout.PlaneOffset(poolPages, layer, list[i], plane), (int)TLayout.BytesPerPlane)
                        .CopyTo(target.AsSpan(offset + (int)TLayout.PlaneOffset(otherPages, layer, other[i], plane)));
                }
            }
        }

        TestBytes.Same(target, TestBytes.Download(targetMemory), $"page copy of {typeof(TLayout).Name}, {list.Length} pages, layers {firstLayer}+{layers}, offset {offset}");
    }
}

public sealed class CpuKvPageKernelTests : KvPageKernelTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaKvPageKernelTests : KvPageKernelTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
