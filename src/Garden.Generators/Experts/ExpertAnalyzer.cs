using System.Collections.Immutable;
using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Garden.Generators.Experts;

/// <summary>Says why an <c>[ExpertRouting]</c> was not completed.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ExpertAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => ExpertDiagnostics.All;

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (start.Compilation.GetTypeByMetadataName(ExpertMetadata.RoutingAttribute) is { } routing)
                start.RegisterSymbolAction(symbol => Analyze(symbol, routing), SymbolKind.NamedType);
        });
    }

    private static void Analyze(SymbolAnalysisContext context, INamedTypeSymbol routing)
    {
        var type = (INamedTypeSymbol)context.Symbol;
        foreach (AttributeData attribute in type.GetAttributes())
        {
            if (!SymbolEqualityComparer.Default.Equals(attribute.AttributeClass, routing))
                continue;
            if (TargetTypeRules.Check(type, ExpertMetadata.Members, context.CancellationToken) is { } reason)
                context.ReportDiagnostic(Diagnostic.Create(ExpertDiagnostics.TargetType, type.Locations[0], type.Name, reason));
            KernelVisibleFields.Report(context, type, ExpertDiagnostics.Field);
            if (ExpertMetadata.Read(attribute) is not { } declaration)
                continue;
            ExpertRules.TryCreate(
                declaration, ModelFileProvider.Configs(context.Options, context.CancellationToken), out IReadOnlyList<RuleViolation> violations);
            foreach (RuleViolation violation in violations)
                context.ReportDiagnostic(violation.At(attribute, ExpertDiagnostics.Of(violation.Id), context.CancellationToken));
        }
    }
}
