using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

/// <summary>The diagnostics of the KV cache's attributes; each has a page under docs/diagnostics.</summary>
internal static class KvCacheDiagnostics
{
    public static readonly DiagnosticDescriptor TargetType = Create(
        "GRDN0001", "The annotated type cannot be completed by the generator", "'{0}' {1}");

    public static readonly DiagnosticDescriptor Dimension = Create(
        "GRDN0002", "A dimension is missing or not positive", "{0} is {1}; set it to a positive number");

    public static readonly DiagnosticDescriptor Heads = Create(
        "GRDN0003",
        "Heads and tensor-parallel ranks do not divide",
        "{0} KV heads cannot be divided over {1} tensor-parallel ranks; make one a multiple of the other");

    public static readonly DiagnosticDescriptor LatentAndHeads = Create(
        "GRDN0004",
        "Both a latent and heads are given",
        "LatentSize = {0} and {1} = {2} exclude each other; remove LatentSize for K and V heads, or KvHeads and HeadSize for a latent");

    public static readonly DiagnosticDescriptor Size = Create(
        "GRDN0005", "The layout is too large", "{0} has {1} bytes, more than {2}; correct the dimensions or make pages smaller");

    public static readonly DiagnosticDescriptor Side = Create(
        "GRDN0006",
        "A side of a transfer is not a valid layout",
        "'{0}' is not a valid KV-cache layout; annotate it with [KvPageLayout] and correct the errors reported there");

    public static readonly DiagnosticDescriptor Pair = Create(
        "GRDN0007",
        "The two layouts hold different caches",
        "The {0} is {1} in '{3}' and {2} in '{4}'; a transfer moves bytes as they are, so make them equal");

    public static readonly DiagnosticDescriptor Option = Create(
        "GRDN0008", "An option has a value that is not supported", "{0} is not a value of {1}; use one of {2}");

    public static readonly DiagnosticDescriptor Field = KernelVisibleFields.Create("GRDN0009", Category);

    private const string Category = "Garden.KvCache";

    public static DiagnosticDescriptor Of(string id) => id switch
    {
        "GRDN0002" => Dimension,
        "GRDN0003" => Heads,
        "GRDN0004" => LatentAndHeads,
        "GRDN0005" => Size,
        "GRDN0007" => Pair,
        "GRDN0008" => Option,
        _ when ModelFileDiagnostics.Of(id) is { } rule => rule,
        _ => throw new ArgumentOutOfRangeException(nameof(id), id, "Not a rule of layouts."),
    };

    private static DiagnosticDescriptor Create(string id, string title, string message) => ErrorRule.Create(id, Category, title, message);
}
