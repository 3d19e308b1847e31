using Microsoft.CodeAnalysis;

namespace Garden.Perf.Generators;

/// <summary>A generator and a consumer that makes it work.</summary>
/// <param name="Name">What the row is called.</param>
/// <param name="Create">A new generator.</param>
/// <param name="Source">The annotated types.</param>
/// <param name="File">The additional file they name, as path and text.</param>
/// <param name="MostColdMilliseconds">What a first run may take.</param>
/// <param name="MostWarmMilliseconds">What a run after an unrelated edit may take.</param>
internal sealed record GeneratorCase(
    string Name,
    Func<IIncrementalGenerator> Create,
    string Source,
    (string Path, string Text) File,
    double MostColdMilliseconds,
    double MostWarmMilliseconds);
