namespace Garden.Generators.KvCache;

/// <summary>A <c>[KvPageLayout]</c> as the text has it; its model file, if any, is not read yet.</summary>
internal sealed record KvDeclaredLayout(TargetType Type, KvLayoutDeclaration Layout);
