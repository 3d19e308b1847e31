using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Garden.Generators.KvCache;

/// <summary>Completes structs annotated with <c>[KvTransfer]</c>. Silent: <see cref="KvCacheAnalyzer"/> reports.</summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class KvTransferGenerator : IIncrementalGenerator
{
    internal const string ParseStep = "KvTransfer.Parse";
    internal const string ValidStep = "KvTransfer.Valid";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<KvTransferModel> models = context.SyntaxProvider
            .ForAttributeWithMetadataName(KvMetadata.TransferAttribute, static (node, _) => node is TypeDeclarationSyntax, Parse)
            .WithTrackingName(ParseStep)
            .Where(static model => model is not null)
            .Select(static (model, _) => model!)
            .WithTrackingName(ValidStep);
        context.RegisterSourceOutput(models, static (output, model) => output.AddSource(model.Type.HintName("KvTransfer"), Emit(model)));
    }
}
