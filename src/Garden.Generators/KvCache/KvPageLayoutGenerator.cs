using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Garden.Generators.KvCache;

/// <summary>Completes structs annotated with <c>[KvPageLayout]</c>. Silent: <see cref="KvCacheAnalyzer"/> reports.</summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class KvPageLayoutGenerator : IIncrementalGenerator
{
    internal const string ParseStep = "KvPageLayout.Parse";
    internal const string ValidStep = "KvPageLayout.Valid";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<KvPageLayoutModel> models = context.SyntaxProvider
            .ForAttributeWithMetadataName(KvMetadata.LayoutAttribute, static (node, _) => node is TypeDeclarationSyntax, Parse)
            .WithTrackingName(ParseStep)
            .Where(static model => model is not null)
            .Select(static (model, _) => model!)
            .WithTrackingName(ValidStep);
        context.RegisterSourceOutput(models, static (output, model) => output.AddSource(model.Type.HintName("KvPageLayout"), Emit(model)));
    }
}
