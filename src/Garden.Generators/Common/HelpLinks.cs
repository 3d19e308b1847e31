namespace Garden.Generators;

/// <summary>Where the page of a diagnostic is.</summary>
internal static class HelpLinks
{
    // Relative to the repository until it has a public address; the pages are named after the rules either way.
    private const string Root = "docs/diagnostics/";

    public static string Of(string id) => $"{Root}{id}.md";
}
