using System.Collections.Immutable;
using System.Globalization;
using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Garden.Generators.Weights;

/// <summary>Says why a <c>[WeightShardMap]</c> was not completed.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class WeightsAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
    [
        WeightDiagnostics.TargetType,
        WeightDiagnostics.Dimension,
        WeightDiagnostics.Option,
        WeightDiagnostics.Pattern,
        WeightDiagnostics.Placement,
        WeightDiagnostics.NotDivisible,
        WeightDiagnostics.Size,
        WeightDiagnostics.Unmatched,
        WeightDiagnostics.Unused,
        WeightDiagnostics.Ambiguous,
        WeightDiagnostics.Fusion,
        WeightDiagnostics.Incomplete,
        WeightDiagnostics.Conversion,
        ModelFileDiagnostics.Missing,
        ModelFileDiagnostics.Unreadable,
    ];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (start.Compilation.GetTypeByMetadataName(WeightMetadata.MapAttribute) is not { } map)
                return;
            start.RegisterSymbolAction(symbol => Analyze(symbol, map), SymbolKind.NamedType);
        });
    }

    private static void Analyze(SymbolAnalysisContext context, INamedTypeSymbol map)
    {
        var type = (INamedTypeSymbol)context.Symbol;
        if (!type.GetAttributes().Any(attribute => SymbolEqualityComparer.Default.Equals(attribute.AttributeClass, map)))
            return;
        if (TargetTypeRules.Check(type, WeightMetadata.Members, context.CancellationToken) is { } reason)
            context.ReportDiagnostic(Diagnostic.Create(WeightDiagnostics.TargetType, type.Locations[0], type.Name, reason));
        if (WeightMetadata.Read(type) is not { } declaration)
            return;
        WeightResolver.Resolve(declaration, ModelFileProvider.Indexes(context.Options, context.CancellationToken), out IReadOnlyList<WeightViolation> found);
        foreach (WeightViolation violation in found)
        {
            context.ReportDiagnostic(Diagnostic.Create(
                WeightDiagnostics.Of(violation.Violation.Id), LocationOf(type, violation, context.CancellationToken), violation.Violation.Values));
        }
    }

    private static Location? LocationOf(INamedTypeSymbol type, WeightViolation violation, CancellationToken cancellation)
    {
        string name = violation.Attribute switch
        {
            WeightAttribute.Map => WeightMetadata.MapAttribute,
            WeightAttribute.Tensor => WeightMetadata.TensorAttribute,
            _ => WeightMetadata.FusionAttribute,
        };
        AttributeData attribute = WeightMetadata.AttributesOf(type, name).ElementAt(violation.Index);
        var syntax = attribute.ApplicationSyntaxReference?.GetSyntax(cancellation) as AttributeSyntax;
        return (ArgumentOf(syntax, violation.Violation.Argument) ?? syntax)?.GetLocation();
    }

    /// <summary>An argument by name, or by position where it has digits; null when it is not written or written otherwise.</summary>
    private static SyntaxNode? ArgumentOf(AttributeSyntax? syntax, string? argument)
    {
        if (syntax?.ArgumentList is not { } list || argument is null)
            return null;
        if (!int.TryParse(argument, NumberStyles.None, CultureInfo.InvariantCulture, out int position))
            return list.Arguments.FirstOrDefault(a => a.NameEquals?.Name.Identifier.ValueText == argument);
        AttributeArgumentSyntax[] positional = [.. list.Arguments.Where(a => a.NameEquals is null)];
        return position < positional.Length ? positional[position] : null;
    }
}
