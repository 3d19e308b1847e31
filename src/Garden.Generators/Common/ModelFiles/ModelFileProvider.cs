using System.Runtime.CompilerServices;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace Garden.Generators.ModelFiles;

/// <summary>
/// The model files of a compilation, for pipelines and for analyzers. Among the additional files, <c>*.index.json</c> are
/// indexes and every other <c>*.json</c> may be a config; whether one is asked for is known only by the types that name it.
/// </summary>
internal static class ModelFileProvider
{
    /// <summary>Tracked step: one config read.</summary>
    public const string ConfigStep = "ModelFiles.Config";

    /// <summary>Tracked step: all configs.</summary>
    public const string ConfigsStep = "ModelFiles.Configs";

    /// <summary>Tracked step: one index read.</summary>
    public const string IndexStep = "ModelFiles.Index";

    /// <summary>Tracked step: all indexes.</summary>
    public const string IndexesStep = "ModelFiles.Indexes";

    // Generators and analyzers meet the same texts, again and again; each is read once for as long as its host keeps it.
    private static readonly ConditionalWeakTable<SourceText, ModelFile<ModelConfig>> s_configs = new();
    private static readonly ConditionalWeakTable<SourceText, ModelFile<SafetensorsIndex>> s_indexes = new();

    /// <summary>All configs, for a generator's pipeline.</summary>
    public static IncrementalValueProvider<EquatableArray<ModelFile<ModelConfig>>> Configs(IncrementalGeneratorInitializationContext context) =>
        Provide(context.AdditionalTextsProvider.Where(IsConfig).Select(ReadConfig).WithTrackingName(ConfigStep), ConfigsStep);

    /// <summary>All indexes, for a generator's pipeline.</summary>
    public static IncrementalValueProvider<EquatableArray<ModelFile<SafetensorsIndex>>> Indexes(IncrementalGeneratorInitializationContext context) =>
        Provide(context.AdditionalTextsProvider.Where(IsIndex).Select(ReadIndex).WithTrackingName(IndexStep), IndexesStep);

    /// <summary>All configs, for an analyzer; a file is read when it is reached.</summary>
    public static IEnumerable<ModelFile<ModelConfig>> Configs(AnalyzerOptions options, CancellationToken cancellation) =>
        options.AdditionalFiles.Where(IsConfig).Select(file => ReadConfig(file, cancellation));

    /// <summary>All indexes, for an analyzer; a file is read when it is reached.</summary>
    public static IEnumerable<ModelFile<SafetensorsIndex>> Indexes(AnalyzerOptions options, CancellationToken cancellation) =>
        options.AdditionalFiles.Where(IsIndex).Select(file => ReadIndex(file, cancellation));

    private static bool IsIndex(AdditionalText file) => file.Path.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase);

    private static bool IsConfig(AdditionalText file) => file.Path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) && !IsIndex(file);

    private static ModelFile<ModelConfig> ReadConfig(AdditionalText file, CancellationToken cancellation) =>
        Read(file, s_configs, ModelConfigReader.Read, cancellation);

    private static ModelFile<SafetensorsIndex> ReadIndex(AdditionalText file, CancellationToken cancellation) =>
        Read(file, s_indexes, SafetensorsIndex.Read, cancellation);

    private static ModelFile<T> Read<T>(
        AdditionalText file, ConditionalWeakTable<SourceText, ModelFile<T>> known, Func<JsonReader, T> parse, CancellationToken cancellation)
        where T : class, IEquatable<T> =>
        file.GetText(cancellation) is { } text
            ? known.GetValue(text, text => ModelFile<T>.Read(file.Path, text, parse)).At(file.Path)
            : ModelFile<T>.Unreadable(file.Path);

    private static IncrementalValueProvider<EquatableArray<ModelFile<T>>> Provide<T>(IncrementalValuesProvider<ModelFile<T>> files, string step)
        where T : class, IEquatable<T> =>
        files.Collect().Select(static (files, _) => new EquatableArray<ModelFile<T>>(files)).WithTrackingName(step);
}
