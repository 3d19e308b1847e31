using System.Diagnostics;

namespace Garden.Perf.Fabric;

/// <summary>The ceiling of the loopback fabric: memcpy between the same places, on the same thread.</summary>
internal sealed unsafe class CopyPair(PairMemory memory) : IWritePair
{
    public void Write(Workload workload, long operations)
    {
        byte* source = memory.Source.Pointer, destination = memory.Destination.Pointer;
        int slot = 0;
        for (long operation = 0; operation < operations; operation++, slot = workload.Next(slot))
        {
            // Safe: a workload's places lie inside its area.
            for (int write = 0; write < workload.WritesPerOperation; write++)
                Buffer.MemoryCopy(source + workload.SourceOffset(new WritePlace(slot, write)), destination + workload.DestinationOffset(new WritePlace(slot, write)), workload.Bytes, workload.Bytes);
        }
    }

    public long OneWay(long bytes)
    {
        long started = Stopwatch.GetTimestamp();
        Copy(memory.Source.Pointer, memory.Destination.Pointer, bytes);
        return Stopwatch.GetTimestamp() - started;
    }

    public long RoundTrip(long bytes)
    {
        long started = Stopwatch.GetTimestamp();
        Copy(memory.Source.Pointer, memory.Destination.Pointer, bytes);
        Copy(memory.Destination.Pointer, memory.Source.Pointer, bytes);
        return Stopwatch.GetTimestamp() - started;
    }

    public void Dispose()
    {
    }

    private static void Copy(byte* from, byte* to, long bytes) =>
        Buffer.MemoryCopy(from + PairMemory.LatencyOffset, to + PairMemory.LatencyOffset, PairMemory.MostLatencyBytes, bytes);
}
