using Garden.Kernels;
using Garden.Kernels.KvCache;
using Garden.KvCache;

namespace Garden.Perf.Gpu;

/// <summary>Gather, scatter, page copy and conversion of real page shapes, random pages, against a device memcpy of the same bytes.</summary>
internal static class KvCopyScenario
{
    private const double Goal = 0.85;

    public static void Run(GpuBench bench, GpuTable table, double memcpy, long bytes)
    {
        Copies<DeepSeekV3>(bench, table, memcpy, bytes);
        Copies<Llama70Tp8>(bench, table, memcpy, bytes);
        Copies<Qwen235Tp4>(bench, table, memcpy, bytes);
        Conversion<DeepSeekV3, DeepSeekV3PageMajor>(bench, table, memcpy, bytes);
        Conversion<Llama70Tp8, Llama70Tp4>(bench, table, memcpy, bytes);
        Conversion<Qwen235Tp1, Qwen235Hnd>(bench, table, memcpy, bytes);
        Conversion<Qwen235Hnd, Qwen235Tp1>(bench, table, memcpy, bytes);
    }

    private static void Copies<TLayout>(GpuBench bench, GpuTable table, double memcpy, long bytes)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        string name = typeof(TLayout).Name;
        (int pages, int poolPages, int tokens) = Sizes<TLayout>(bytes);
        long moved = KvPageKernels<TLayout>.ContiguousBytes(tokens, TLayout.Layers);
        int[] order = Shuffled(poolPages, seed: 1);
        int[] list = order[..pages];
        using var kernels = new KvPageKernels<TLayout>(bench.Device);
        using DeviceBuffer memory = bench.Allocate(TLayout.PoolBytes(poolPages)), contiguous = bench.Allocate(moved);
        using DevicePageList deviceList = DevicePageList.Create(bench.Device, list);
        var pool = new KvDevicePool(memory, poolPages);

        void gather() => kernels.Gather(bench.Stream, pool, deviceList, 0, TLayout.Layers, tokens, contiguous);
        bench.Hash(memory);
        bench.Stream.Fill(contiguous.Address, 0xCD, moved);
        gather();
        bench.Stream.Synchronize();
        bench.Verify($"gather {name}", contiguous, Runs<TLayout>(list, poolPages, tokens));
        table.Throughput($"gather {name}, {moved >> 20} MiB", bench.Throughput(moved, gather), memcpy, Goal);

        void scatter() => kernels.Scatter(bench.Stream, contiguous, 0, pool, deviceList, 0, TLayout.Layers, tokens);
        bench.Hash(contiguous);
        bench.Stream.Fill(memory.Address, 0xCD, memory.Length);
        scatter();
        bench.Stream.Synchronize();
        bench.Verify($"scatter {name}", memory, Runs<TLayout>(list, poolPages, tokens).Select(static run => (run.Destination, run.Source, run.Length)));
        table.Throughput($"scatter {name}, {moved >> 20} MiB", bench.Throughput(moved, scatter), memcpy, Goal);
        contiguous.Dispose();

        // Into a pool of its own, so that no page is on both sides.
        using DeviceBuffer other = bench.Allocate(TLayout.PoolBytes(poolPages));
        int[] target = Shuffled(poolPages, seed: 2)[..pages];
        using DevicePageList deviceTarget = DevicePageList.Create(bench.Device, target);
        void copy() => kernels.CopyPages(bench.Stream, pool, deviceList, new KvDevicePool(other, poolPages), deviceTarget, 0, TLayout.Layers);
        bench.Hash(memory);
        bench.Stream.Fill(other.Address, 0xCD, other.Length);
        copy();
        bench.Stream.Synchronize();
        bench.Verify($"page copy {name}", other, PageRuns<TLayout>(list, target, poolPages));
        table.Throughput($"page copy {name}, {moved >> 20} MiB", bench.Throughput(pages * TLayout.BytesPerPage * TLayout.Layers, copy), memcpy, Goal);
        RequireNoLocalMemory($"gather {name}", kernels.Resources);
    }

    private static void Conversion<TFrom, TTo>(GpuBench bench, GpuTable table, double memcpy, long bytes)
        where TFrom : unmanaged, IKvPageLayout<TFrom>
        where TTo : unmanaged, IKvPageLayout<TTo>
    {
        string name = $"{typeof(TFrom).Name} to {typeof(TTo).Name}";
        (int fromPages, int fromPool, int tokens) = Sizes<TFrom>(bytes);
        int toPages = (tokens + TTo.TokensPerPage - 1) / TTo.TokensPerPage, toPool = toPages + (toPages / 8);
        int[] from = Shuffled(fromPool, seed: 3)[..fromPages], to = Shuffled(toPool, seed: 4)[..toPages];
        using var kernel = new KvConversionKernel<TFrom, TTo>(bench.Device);
        using DeviceBuffer source = bench.Allocate(TFrom.PoolBytes(fromPool)), destination = bench.Allocate(TTo.PoolBytes(toPool));
        using DevicePageList sourceList = DevicePageList.Create(bench.Device, from), destinationList = DevicePageList.Create(bench.Device, to);
        var range = new KvConversionRange(0, tokens, 0, TFrom.Layers);
        long moved = 0;
        void convert() => moved = kernel.Convert(bench.Stream, new KvDevicePool(source, fromPool), sourceList, new KvDevicePool(destination, toPool), destinationList, in range);
        bench.Hash(source);
        bench.Stream.Fill(destination.Address, 0xCD, destination.Length);
        convert();
        bench.Stream.Synchronize();
        bench.Verify($"convert {name}", destination, ConvertedRuns<TFrom, TTo>(from, fromPool, to, toPool, tokens));
        table.Throughput($"convert {name}, {moved >> 20} MiB", bench.Throughput(moved, convert), memcpy, Goal);
        RequireNoLocalMemory($"convert {name}", kernel.Resources);
    }

    private static (int Pages, int PoolPages, int Tokens) Sizes<TLayout>(long bytes)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        int pages = (int)(bytes / (TLayout.BytesPerPage * TLayout.Layers)) + 1;
        // The last page is not full.
        return (pages, pages + (pages / 8), (pages * TLayout.TokensPerPage) - 1);
    }

    private static IEnumerable<(long Source, long Destination, int Length)> Runs<TLayout>(int[] list, int poolPages, int tokens)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        long token = TLayout.BytesPerPlane / TLayout.TokensPerPage, at = 0;
        for (int layer = 0; layer < TLayout.Layers; layer++)
        {
            for (int plane = 0; plane < TLayout.PlaneCount; plane++)
            {
                for (int i = 0; i < list.Length; i++)
                {
                    int length = (int)(Math.Min(TLayout.TokensPerPage, tokens - (i * TLayout.TokensPerPage)) * token);
                    yield return (TLayout.PlaneOffset(poolPages, layer, list[i], plane), at, length);
                    at += length;
                }
            }
        }
    }

    private static IEnumerable<(long Source, long Destination, int Length)> PageRuns<TLayout>(int[] from, int[] to, int poolPages)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        for (int layer = 0; layer < TLayout.Layers; layer++)
        {
            for (int plane = 0; plane < TLayout.PlaneCount; plane++)
            {
                for (int i = 0; i < from.Length; i++)
                    yield return (TLayout.PlaneOffset(poolPages, layer, from[i], plane), TLayout.PlaneOffset(poolPages, layer, to[i], plane), (int)TLayout.BytesPerPlane);
            }
        }
    }

    private static IEnumerable<(long Source, long Destination, int Length)> ConvertedRuns<TFrom, TTo>(int[] from, int fromPool, int[] to, int toPool, int tokens)
        where TFrom : unmanaged, IKvPageLayout<TFrom>
        where TTo : unmanaged, IKvPageLayout<TTo>
    {
        KvHeadOverlap overlap = KvHeadOverlap.Of(TFrom.KvHeads, TFrom.TensorParallel, TTo.TensorParallel, 0, 0);
        for (int layer = 0; layer < TFrom.Layers; layer++)
        {
            for (int plane = 0; plane < TFrom.PlaneCount; plane++)
            {
                for (int token = 0; token < tokens; token++)
                {
                    for (int head = 0; head < overlap.Count; head++)
                    {
                        yield return (
                            TFrom.PlaneOffset(fromPool, layer, from[token / TFrom.TokensPerPage], plane) + TFrom.ElementOffset(token % TFrom.TokensPerPage, overlap.SourceFirst + head),
                            TTo.PlaneOffset(toPool, layer, to[token / TTo.TokensPerPage], plane) + TTo.ElementOffset(token % TTo.TokensPerPage, overlap.DestinationFirst + head),
                            TFrom.HeadSize * TFrom.ElementBytes);
                    }
                }
            }
        }
    }

    private static int[] Shuffled(int count, int seed)
    {
        int[] pages = [.. Enumerable.Range(0, count)];
        new Random(seed).Shuffle(pages);
        return pages;
    }

    private static void RequireNoLocalMemory(string what, KernelResources resources)
    {
        if (resources.LocalBytes != 0)
            throw new InvalidOperationException($"{what} uses {resources.LocalBytes} bytes of local memory a thread.");
    }
}
