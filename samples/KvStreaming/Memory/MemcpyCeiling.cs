using System.Diagnostics;
using Garden;

namespace KvStreaming;

/// <summary>What one core copies per second, for comparison: two buffers far larger than the caches.</summary>
internal static class MemcpyCeiling
{
    private const int Length = 192 * 1024 * 1024;
    private const int Rounds = 5;

    /// <summary>GB/s of the median of several copies.</summary>
    public static double Measure()
    {
        using var source = new NativeBuffer(Length);
        using var destination = new NativeBuffer(Length);
        source.Span(0, Length).Fill(1);
        destination.Span(0, Length).Fill(2);
        double[] rates = new double[Rounds];
        for (int i = 0; i < Rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            source.Span(0, Length).CopyTo(destination.Span(0, Length));
            rates[i] = Length / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
        }

        Array.Sort(rates);
        return rates[Rounds / 2];
    }
}
