namespace Garden.Generators;

/// <summary>The annotated type as text: enough to reopen it in another file.</summary>
/// <param name="Namespace">Its namespace, keywords escaped; empty for the global one.</param>
/// <param name="Containers">Declarations of the containing types, outermost first, such as <c>partial class Outer</c>.</param>
/// <param name="Keyword"><c>struct</c> or <c>record struct</c>.</param>
/// <param name="Name">Its name, escaped if it is a keyword.</param>
/// <param name="MetadataName">Its full name, for file names and messages.</param>
internal sealed record TargetType(
    string Namespace,
    EquatableArray<string> Containers,
    string Keyword,
    string Name,
    string MetadataName)
{
    /// <summary>A file name that differs also between names that differ in case only, which the compiler holds for equal.</summary>
    public string HintName(string feature) => $"{MetadataName}.{feature}.{Fnv1a.Of(MetadataName) & 0xffffffff:x8}.g.cs";
}
