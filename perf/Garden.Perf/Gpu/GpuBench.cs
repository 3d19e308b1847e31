using Garden.Kernels;

namespace Garden.Perf.Gpu;

/// <summary>A device with what every GPU scenario needs: times by the device's clock, hashed inputs, verification on the host.</summary>
internal sealed class GpuBench : IDisposable
{
    public const int Repetitions = 21;
    private const int WarmUps = 3;
    private readonly DeviceKernel<HashFillArgs> _fill;

    public GpuBench(KernelDevice device)
    {
        Device = device;
        Stream = device.CreateStream();
        _fill = device.Load<HashFillArgs>(HashFill.Run);
    }

    public KernelDevice Device { get; }

    public DeviceStream Stream { get; }

    /// <summary>The median time of some work in seconds.</summary>
    public double Time(Action work, int repetitions = Repetitions)
    {
        for (int i = 0; i < WarmUps; i++)
            work();
        var starts = new DeviceEvent[repetitions];
        var ends = new DeviceEvent[repetitions];
        for (int i = 0; i < repetitions; i++)
        {
            starts[i] = Device.CreateEvent(timing: true);
            ends[i] = Device.CreateEvent(timing: true);
            Stream.Record(starts[i]);
            work();
            Stream.Record(ends[i]);
        }

        Stream.Synchronize();
        double median = Statistics.Median(starts.Zip(ends).Select(static pair => pair.Second.Since(pair.First).TotalSeconds));
        foreach (DeviceEvent used in starts.Concat(ends))
            used.Dispose();
        return median;
    }

    /// <summary>GB/s of bytes read and written.</summary>
    public double Throughput(long bytesCopied, Action work) => 2.0 * bytesCopied / Time(work) / 1e9;

    public DeviceBuffer Allocate(long bytes) => Device.Allocate(bytes);

    /// <summary>Fills a buffer with words that tell where they are.</summary>
    public void Hash(DeviceBuffer buffer)
    {
        ulong words = (ulong)buffer.Length / 4;
        _fill.Launch(Stream, _fill.ShapeFor((long)words), new HashFillArgs { Address = (ulong)buffer.Address, Words = words });
        Stream.Synchronize();
    }

    /// <summary>Requires every run to have arrived from its place in a hashed source. Offsets and lengths are multiples of 4.</summary>
    /// <exception cref="InvalidOperationException">A word is wrong.</exception>
    public void Verify(string what, DeviceBuffer destination, IEnumerable<(long Source, long Destination, int Length)> runs)
    {
        const int ChunkBytes = 1 << 30;
        // One piece after another, so that a span can hold it.
        (long Source, long Destination, int Length)[] sorted = [.. runs.OrderBy(static run => run.Destination)];
        var chunk = new byte[Math.Min(ChunkBytes, destination.Length)];
        int next = 0;
        while (next < sorted.Length)
        {
            long at = sorted[next].Destination;
            Span<byte> bytes = chunk.AsSpan(0, (int)Math.Min(chunk.Length, destination.Length - at));
            destination.Read(bytes, at);
            for (; next < sorted.Length && sorted[next].Destination + sorted[next].Length <= at + bytes.Length; next++)
            {
                Span<uint> words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(bytes.Slice((int)(sorted[next].Destination - at), sorted[next].Length));
                for (int i = 0; i < words.Length; i++)
                {
                    if (words[i] != HashFill.Word((ulong)(sorted[next].Source / 4) + (ulong)i))
                        throw new InvalidOperationException($"{what}: the word at destination byte {sorted[next].Destination + (i * 4)} is not that of source byte {sorted[next].Source + (i * 4)}.");
                }
            }
        }
    }

    public void Dispose()
    {
        _fill.Dispose();
        Stream.Dispose();
    }
}
