using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

/// <summary>Completes structs annotated with <c>[KvPageLayout]</c>. Silent: <see cref="KvCacheAnalyzer"/> reports.</summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class KvPageLayoutGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context) => context.RegisterSourceOutput(
        AnnotatedTypes.With<KvDeclaredLayout, ModelConfig, KvPageLayoutModel>(context, KvMetadata.LayoutAttribute, "KvPageLayout", ModelFileProvider.Configs(context), Parse, Resolve),
        static (output, model) => output.AddSource(model.Type.HintName("KvPageLayout"), Emit(model)));
}
