using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.ModelFiles;

/// <summary>The diagnostics of model files, the same for every attribute that names one.</summary>
internal static class ModelFileDiagnostics
{
    public static readonly DiagnosticDescriptor Missing = Create(
        "GRDN0020", "A model file is missing or ambiguous", "'{0}' {1}; {2}");

    public static readonly DiagnosticDescriptor Unreadable = Create(
        "GRDN0021", "A model file cannot be read", "'{0}' cannot be used: {1}");

    public static readonly DiagnosticDescriptor Lacks = Create(
        "GRDN0022", "A model file lacks a field", "'{0}' does not tell {1}: {2}; give {1} in the attribute");

    public static readonly DiagnosticDescriptor Conflict = Create(
        "GRDN0023", "Attribute and model file contradict each other", "{0} is {1} in the attribute and {2} by {3} of '{4}'; remove one or correct it");

    public static readonly ImmutableArray<DiagnosticDescriptor> All = [Missing, Unreadable, Lacks, Conflict];

    /// <summary>The rule with this id; null when it is not one of model files.</summary>
    public static DiagnosticDescriptor? Of(string id) => All.FirstOrDefault(rule => rule.Id == id);

    private static DiagnosticDescriptor Create(string id, string title, string message) => ErrorRule.Create(id, "Garden.ModelFiles", title, message);
}
