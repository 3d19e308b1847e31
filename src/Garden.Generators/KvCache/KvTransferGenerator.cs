using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

/// <summary>Completes structs annotated with <c>[KvTransfer]</c>. Silent: <see cref="KvCacheAnalyzer"/> reports.</summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class KvTransferGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context) => context.RegisterSourceOutput(
        AnnotatedTypes.With<KvDeclaredTransfer, ModelConfig, KvTransferModel>(context, KvMetadata.TransferAttribute, "KvTransfer", ModelFileProvider.Configs(context), Parse, Resolve),
        static (output, model) => output.AddSource(model.Type.HintName("KvTransfer"), Emit(model)));
}
