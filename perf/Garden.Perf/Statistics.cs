namespace Garden.Perf;

/// <summary>Order statistics: machines are shared and noisy, so medians and ratios, never one time.</summary>
internal static class Statistics
{
    public static double Median(IEnumerable<double> values) => Percentile([.. values], 0.5);

    public static double Percentile(double[] values, double fraction)
    {
        Array.Sort(values);
        return values[Math.Min(values.Length - 1, (int)(fraction * values.Length))];
    }

    public static double Nanoseconds(long ticks) => ticks * (1e9 / System.Diagnostics.Stopwatch.Frequency);
}
