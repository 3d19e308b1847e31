namespace Garden.Generators.KvCache;

/// <summary>A <c>[KvTransfer]</c> as the text has it; the model files of its sides, if any, are not read yet.</summary>
internal sealed record KvDeclaredTransfer(TargetType Type, KvLayoutDeclaration From, KvLayoutDeclaration To);
