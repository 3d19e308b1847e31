using Garden.Kernels.KvCache;
using Garden.KvCache;

namespace Garden.Kernels.Tests.KvCache;

/// <summary>Conversions against a loop over every head of every token, for all pairs of ranks, byte for byte.</summary>
public abstract class KvConversionTests
{
    private const int Guard = 32;

    protected abstract KernelDevice Device { get; }

    [Fact]
    public void LlamaEightRanksToFour() => Check<LlamaTp8, LlamaTp4>();

    [Fact]
    public void LlamaFourRanksToOneWithSeparatePlanes() => Check<LlamaTp4, LlamaTp1>();

    [Fact]
    public void QwenTokenMajorToHeadMajor() => Check<QwenTp2, QwenHnd>();

    [Fact]
    public void QwenHeadMajorToTokenMajor() => Check<QwenHnd, QwenTp2>();

    [Fact]
    public void LatentsToPageMajorPages() => Check<DeepSeek, DeepSeekPageMajor>();

    [Fact]
    public void RowsOfThreeBytes() => Check<Bytes3Separate, Bytes3Hnd>();

    [Fact]
    public void RowsOfThreeBytesBack() => Check<Bytes3Hnd, Bytes3Separate>();

    [Fact]
    public void RowsOfSixBytes() => Check<Bytes6Hnd, Bytes6Tp3>();

    [Fact]
    public void RowsOfEightBytesOneTokenAPage() => Check<Bytes8OneToken, Bytes8Tp6>();

    [Fact]
    public void LatentsOfTenBytes() => Check<Latent10PageMajor, Latent10>();

    [Fact]
    public void LayoutsOfDifferentModelsAreRefused() =>
        Assert.Contains("elements a head are 576 and 128", Assert.Throws<PlanException>(() => new KvConversionKernel<DeepSeekShort, LlamaShort>(Device)).Message, StringComparison.Ordinal);

    [Fact]
    public void BadInputIsRefusedBeforeTheLaunch()
    {
        using var kernel = new KvConversionKernel<Bytes8OneToken, Bytes8Tp6>(Device);
        using DeviceBuffer from = Device.Allocate(Bytes8OneToken.PoolBytes(8)), to = Device.Allocate(Bytes8Tp6.PoolBytes(2));
        using DevicePageList fromPages = DevicePageList.Create(Device, [0, 1, 2, 3, 4, 5, 6, 7]), toPages = DevicePageList.Create(Device, [1, 0]);
        KvDevicePool source = new(from, 8), target = new(to, 2);
        Assert.Contains("8 entries, but 9", Assert.Throws<PlanException>(() => Run(new KvConversionRange(0, 9, 0, 1))).Message, StringComparison.Ordinal);
        Assert.Contains("Tokens [-1", Assert.Throws<PlanException>(() => Run(new KvConversionRange(-1, 2, 0, 1))).Message, StringComparison.Ordinal);
        Assert.Contains("Layers [0, 0 + 2)", Assert.Throws<PlanException>(() => Run(new KvConversionRange(0, 2, 0, 2))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(new KvConversionRange(0, 2, 0, 1, SourceRank: 4)));
        Assert.Equal(0, Run(new KvConversionRange(0, 0, 0, 1)));
        // Ranks that share no heads move nothing.
        Assert.Equal(0, Run(new KvConversionRange(0, 2, 0, 1, SourceRank: 0, DestinationRank: 5)));

        long Run(KvConversionRange range) => kernel.Convert(Device.DefaultStream, source, fromPages, target, toPages, in range);
    }

    private void Check<TFrom, TTo>()
        where TFrom : unmanaged, IKvPageLayout<TFrom>
        where TTo : unmanaged, IKvPageLayout<TTo>
    {
        using var kernel = new KvConversionKernel<TFrom, TTo>(Device);
        var random = new Random(11);
        foreach ((int first, int count, int offset) in new[] { (0, 1, 0), (3, 2 * TTo.TokensPerPage, 16), (TFrom.TokensPerPage - 1, TFrom.TokensPerPage + 3, 5) })
        {
            // One pair of ranks with heads in common, and the last ranks, whichever they are.
            One(kernel, random, first, count, offset, 0, 0);
            One(kernel, random, first, count, offset, TFrom.TensorParallel - 1, TTo.TensorParallel - 1);
        }
    }

    private void One<TFrom, TTo>(KvConversionKernel<TFrom, TTo> kernel, Random random, int first, int count, int offset, int sourceRank, int destinationRank)
        where TFrom : unmanaged, IKvPageLayout<TFrom>
        where TTo : unmanaged, IKvPageLayout<TTo>
    {
        int fromCount = (first + count + TFrom.TokensPerPage - 1) / TFrom.TokensPerPage, toCount = (first + count + TTo.TokensPerPage - 1) / TTo.TokensPerPage;
        int fromPool = fromCount + 1, toPool = toCount + 2;
        int[] fromList = TestBytes.Pages(random, fromPool, fromCount), toList = TestBytes.Pages(random, toPool, toCount);
        int firstLayer = random.Next(TFrom.Layers), layers = TFrom.Layers - firstLayer;
        byte[] source = TestBytes.Random(random, offset + TFrom.PoolBytes(fromPool));
        byte[] target = TestBytes.Poisoned(offset + TTo.PoolBytes(toPool) + Guard);
        using DeviceBuffer sourceMemory = TestBytes.Upload(Device, source), targetMemory = TestBytes.Upload(Device, target);
        using DevicePageList fromPages = DevicePageList.Create(Device, fromList), toPages = DevicePageList.Create(Device, toList);
        long copied = kernel.Convert(
            Device.DefaultStream, new KvDevicePool(sourceMemory, fromPool, offset), fromPages, new KvDevicePool(targetMemory, toPool, offset), toPages,
            new KvConversionRange(first, count, firstLayer, layers, sourceRank, destinationRank));

        KvHeadOverlap overlap = KvHeadOverlap.Of(TFrom.KvHeads, TFrom.TensorParallel, TTo.TensorParallel, sourceRank, destinationRank);
        int row = TFrom.HeadSize * TFrom.ElementBytes;
        long expected = 0;
        for (int layer = firstLayer; layer < firstLayer + layers; layer++)
        {
            for (int plane = 0; plane < TFrom.PlaneCount; plane++)
            {
                for (int token = first; token < first + count; token++)
                {
                    for (int head = 0; head < overlap.Count; head++, expected += row)
                    {
                        long from = TFrom.PlaneOffset(fromPool, layer, fromList[token / TFrom.TokensPerPage], plane) + TFrom.ElementOffset(token % TFrom.TokensPerPage, overlap.SourceFirst + head);
                        long to = TTo.PlaneOffset(toPool, layer, toList[token / TTo.TokensPerPage], plane) + TTo.ElementOffset(token % TTo.TokensPerPage, overlap.DestinationFirst + head);
                        source.AsSpan(offset + (int)from, row).CopyTo(target.AsSpan(offset + (int)to));
                    }
                }
            }
        }

        Assert.Equal(expected, copied);
        TestBytes.Same(target, TestBytes.Download(targetMemory), $"{typeof(TFrom).Name} to {typeof(TTo).Name}, tokens {first}+{count}, ranks {sourceRank} to {destinationRank}, offset {offset}");
    }
}

public sealed class CpuKvConversionTests : KvConversionTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaKvConversionTests : KvConversionTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
