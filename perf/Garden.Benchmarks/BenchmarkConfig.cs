using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

namespace Garden.Benchmarks;

/// <summary>
/// The default job takes about three seconds a benchmark: in this process (no restore and build of a generated project) and with
/// many short iterations, whose median a busy neighbour does not move. <c>--own-process</c> is BenchmarkDotNet's own thorough job.
/// </summary>
public sealed class BenchmarkConfig : ManualConfig
{
    public BenchmarkConfig(bool ownProcess)
    {
        AddJob(ownProcess
            ? Job.Default
            : Job.Default
                .WithToolchain(InProcessEmitToolchain.Instance)
                .WithWarmupCount(8)
                .WithIterationCount(25)
                .WithIterationTime(TimeInterval.FromMilliseconds(50))
                .WithId("Shared"));
        AddDiagnoser(MemoryDiagnoser.Default);
        AddLogger(ConsoleLogger.Default);
        AddExporter(MarkdownExporter.GitHub);
        AddColumnProvider(DefaultColumnProviders.Descriptor, DefaultColumnProviders.Params, DefaultColumnProviders.Metrics);
        // Medians and ratios only: a mean on a shared machine says what the neighbours did.
        AddColumn(StatisticColumn.Median, StatisticColumn.Q1, StatisticColumn.Q3, new MedianRatioColumn());
        WithOption(ConfigOptions.JoinSummary, false);
    }
}
