using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Garden.Benchmarks;

/// <summary>A benchmark's median time over that of its baseline. BenchmarkDotNet's own ratio is one of means.</summary>
public sealed class MedianRatioColumn : IColumn
{
    public string Id => nameof(MedianRatioColumn);

    public string ColumnName => "Median ratio";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Baseline;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string Legend => "Median time / the baseline's median time";

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        BenchmarkCase? baseline = summary.BenchmarksCases.FirstOrDefault(other => other.Descriptor.Baseline
            && other.Descriptor.Type == benchmarkCase.Descriptor.Type
            && other.Parameters.DisplayInfo == benchmarkCase.Parameters.DisplayInfo);
        double? own = Median(benchmarkCase), its = baseline is null ? null : Median(baseline);
        return own / its is { } ratio ? ratio.ToString("0.00", summary.GetCultureInfo()) : "?";

        double? Median(BenchmarkCase one) => summary[one]?.ResultStatistics?.Median;
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public override string ToString() => ColumnName;
}
