namespace Garden.Generators;

/// <summary>A broken rule: which, at which argument (null for the attribute as a whole), and the values for its message.</summary>
internal sealed record RuleViolation(string Id, string? Argument, params string[] Values);
