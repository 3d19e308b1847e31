using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Garden.Generators;

/// <summary>The pipeline every attribute shares: text → declaration → (with the model files) what is emitted.</summary>
internal static class AnnotatedTypes
{
    /// <summary>
    /// The valid ones of the types that bear an attribute. Tracked steps are <paramref name="feature"/> with
    /// <c>.Parse</c> (sees symbols, runs on every edit), <c>.Resolve</c> and <c>.Valid</c> (see values only).
    /// </summary>
    public static IncrementalValuesProvider<TModel> With<TDeclared, TFile, TModel>(
        IncrementalGeneratorInitializationContext context,
        string attribute,
        string feature,
        IncrementalValueProvider<EquatableArray<ModelFile<TFile>>> files,
        Func<GeneratorAttributeSyntaxContext, CancellationToken, TDeclared?> parse,
        Func<TDeclared, EquatableArray<ModelFile<TFile>>, TModel?> resolve)
        where TDeclared : class
        where TFile : class, IEquatable<TFile>
        where TModel : class =>
        context.SyntaxProvider
            .ForAttributeWithMetadataName(attribute, static (node, _) => node is TypeDeclarationSyntax, parse)
            .WithTrackingName(feature + ".Parse")
            .Where(static declared => declared is not null)
            .Combine(files)
            .Select((pair, _) => resolve(pair.Left!, pair.Right))
            .WithTrackingName(feature + ".Resolve")
            .Where(static model => model is not null)
            .Select(static (model, _) => model!)
            .WithTrackingName(feature + ".Valid");
}
