using System.Collections.Immutable;
using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Garden.Generators.KvCache;

/// <summary>Says why a <c>[KvPageLayout]</c> or <c>[KvTransfer]</c> was not completed.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class KvCacheAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
    [
        KvCacheDiagnostics.TargetType,
        KvCacheDiagnostics.Dimension,
        KvCacheDiagnostics.Heads,
        KvCacheDiagnostics.LatentAndHeads,
        KvCacheDiagnostics.Size,
        KvCacheDiagnostics.Side,
        KvCacheDiagnostics.Pair,
        KvCacheDiagnostics.Option,
        KvCacheDiagnostics.Field,
        .. ModelFileDiagnostics.All,
    ];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            INamedTypeSymbol? layout = start.Compilation.GetTypeByMetadataName(KvMetadata.LayoutAttribute);
            INamedTypeSymbol? transfer = start.Compilation.GetTypeByMetadataName(KvMetadata.TransferAttribute);
            if (layout is null || transfer is null)
                return;
            start.RegisterSymbolAction(symbol => Analyze(symbol, layout, transfer), SymbolKind.NamedType);
        });
    }

    private static void Analyze(SymbolAnalysisContext context, INamedTypeSymbol layout, INamedTypeSymbol transfer)
    {
        var type = (INamedTypeSymbol)context.Symbol;
        foreach (AttributeData attribute in type.GetAttributes())
        {
            INamedTypeSymbol? definition = attribute.AttributeClass?.OriginalDefinition;
            if (SymbolEqualityComparer.Default.Equals(definition, layout))
                AnalyzeLayout(context, type, attribute);
            else if (SymbolEqualityComparer.Default.Equals(definition, transfer))
                AnalyzeTransfer(context, type, attribute);
        }
    }

    private static void AnalyzeLayout(SymbolAnalysisContext context, INamedTypeSymbol type, AttributeData attribute)
    {
        AnalyzeTarget(context, type, KvMetadata.LayoutMembers);
        if (KvMetadata.Read(attribute) is not { } declaration)
            return;
        KvLayoutRules.TryCreate(declaration, ConfigsOf(context), out IReadOnlyList<RuleViolation> violations);
        foreach (RuleViolation violation in violations)
            context.ReportDiagnostic(violation.At(attribute, KvCacheDiagnostics.Of(violation.Id), context.CancellationToken));
    }

    private static void AnalyzeTransfer(SymbolAnalysisContext context, INamedTypeSymbol type, AttributeData attribute)
    {
        AnalyzeTarget(context, type, KvMetadata.TransferMembers);
        if (attribute.AttributeClass is not { TypeArguments: [{ } from, { } to] }
            || from.TypeKind == TypeKind.Error
            || to.TypeKind == TypeKind.Error)
        {
            return;
        }

        KvLayout? source = LayoutOf(context, from), destination = LayoutOf(context, to);
        if (source is null)
            context.ReportDiagnostic(Diagnostic.Create(KvCacheDiagnostics.Side, ArgumentAt(0), from.Name));
        if (destination is null)
            context.ReportDiagnostic(Diagnostic.Create(KvCacheDiagnostics.Side, ArgumentAt(1), to.Name));
        if (source is null || destination is null)
            return;
        foreach (RuleViolation violation in KvLayoutRules.CheckPair(source, destination))
        {
            context.ReportDiagnostic(
                Diagnostic.Create(KvCacheDiagnostics.Pair, ArgumentAt(1), [.. violation.Values, from.Name, to.Name]));
        }

        Location? ArgumentAt(int index)
        {
            SyntaxNode? syntax = attribute.ApplicationSyntaxReference?.GetSyntax(context.CancellationToken);
            return (syntax?.DescendantNodes().OfType<TypeArgumentListSyntax>().FirstOrDefault()?.Arguments[index] ?? syntax)?.GetLocation();
        }
    }

    private static KvLayout? LayoutOf(SymbolAnalysisContext context, ITypeSymbol type) =>
        KvMetadata.DeclarationOf(type, context.Compilation.Assembly, context.CancellationToken) is { } declaration
            ? KvLayoutRules.TryCreate(declaration, ConfigsOf(context), out _)
            : null;

    private static IEnumerable<ModelFile<ModelConfig>> ConfigsOf(SymbolAnalysisContext context) =>
        ModelFileProvider.Configs(context.Options, context.CancellationToken);

    private static void AnalyzeTarget(SymbolAnalysisContext context, INamedTypeSymbol type, HashSet<string> members)
    {
        if (TargetTypeRules.Check(type, members, context.CancellationToken) is { } reason)
            context.ReportDiagnostic(Diagnostic.Create(KvCacheDiagnostics.TargetType, type.Locations[0], type.Name, reason));
        KernelVisibleFields.Report(context, type, KvCacheDiagnostics.Field);
    }
}
