namespace Garden.Generators.Experts;

/// <summary>An <c>[ExpertRouting]</c> as the text has it; its model file, if any, is not read yet.</summary>
internal sealed record ExpertDeclaredRouting(TargetType Type, ExpertDeclaration Routing);
