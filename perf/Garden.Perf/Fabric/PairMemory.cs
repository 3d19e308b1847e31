namespace Garden.Perf.Fabric;

/// <summary>
/// The memory of both ends, the same for the engine and for its ceiling. Behind the area that workloads use is one for latencies, so that
/// answers do not overwrite the source.
/// </summary>
internal sealed class PairMemory : IDisposable
{
    /// <summary>The longest write whose latency is measured.</summary>
    public const long MostLatencyBytes = 4L << 20;

    private const byte Poison = 0xCD;

    public PairMemory()
    {
        new Random(7).NextBytes(Source.Span(0, (int)Source.Length));
        Destination.Span(0, (int)Destination.Length).Fill(Poison);
    }

    public static long LatencyOffset => Workload.AreaBytes;

    public NativeBuffer Source { get; } = new(Workload.AreaBytes + MostLatencyBytes);

    public NativeBuffer Destination { get; } = new(Workload.AreaBytes + MostLatencyBytes);

    private NativeBuffer Expected { get; } = new(Workload.AreaBytes);

    /// <summary>Runs a workload once over all its places and compares every byte of the area, those that nothing writes to included.</summary>
    /// <exception cref="InvalidDataException">A byte differs; the message says which.</exception>
    public void Verify(IWritePair pair, Workload workload)
    {
        Span<byte> expected = Expected.Span(0, (int)Expected.Length), area = Destination.Span(0, (int)Workload.AreaBytes);
        expected.Fill(Poison);
        area.Fill(Poison);
        for (int operation = 0; operation < workload.Cycle; operation++)
        {
            for (int write = 0; write < workload.WritesPerOperation; write++)
            {
                Source.Span(workload.SourceOffset(new WritePlace(operation, write)), (int)workload.Bytes)
                    .CopyTo(expected[(int)workload.DestinationOffset(new WritePlace(operation, write))..]);
            }
        }

        pair.Write(workload, workload.Cycle);
        if (area.SequenceEqual(expected))
            return;
        int at = area.CommonPrefixLength(expected);
        throw new InvalidDataException($"{pair.GetType().Name}, {workload.Kind} of {workload.Bytes} bytes, {workload.Pages} pages: byte {at} is 0x{area[at]:x2}, expected 0x{expected[at]:x2}.");
    }

    public void Dispose()
    {
        Source.Dispose();
        Destination.Dispose();
        Expected.Dispose();
    }
}
