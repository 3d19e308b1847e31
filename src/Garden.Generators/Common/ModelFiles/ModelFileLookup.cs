namespace Garden.Generators.ModelFiles;

/// <summary>Finds the file an attribute names: by its name, or by as many folders before it as it takes to tell it from others.</summary>
internal static class ModelFileLookup
{
    /// <summary>The content of the one file that <paramref name="name"/> names, or null and what is wrong.</summary>
    /// <param name="files">What <see cref="ModelFileProvider"/> gave.</param>
    /// <param name="name">A path or the end of one, such as <c>llama-3-70b/config.json</c>; letter case counts.</param>
    /// <param name="argument">The attribute's argument that holds the name, for the place of the violation.</param>
    /// <param name="violation">Why there is no content; null when there is.</param>
    public static T? Find<T>(IEnumerable<ModelFile<T>> files, string name, string argument, out RuleViolation? violation)
        where T : class, IEquatable<T>
    {
        string wanted = name.Replace('\\', '/');
        ModelFile<T>[] found = [.. files.Where(file => Ends(file.Path, wanted)).GroupBy(file => file.Path, StringComparer.Ordinal).Select(group => group.First())];
        violation = found switch
        {
            [] => new RuleViolation("GRDN0020", argument, name, "is not among the additional files", $"add <AdditionalFiles Include=\"{name}\" /> to the project file"),
            [{ Error: { } error }] => new RuleViolation("GRDN0021", argument, found[0].Path, error),
            [_] => null,
            _ => new RuleViolation("GRDN0020", argument, name, $"names both '{found[0].Path}' and '{found[1].Path}'", "write more of the folders before it"),
        };
        return violation is null ? found[0].Content : null;
    }

    private static bool Ends(string path, string wanted) =>
        wanted.Length != 0
        && path.EndsWith(wanted, StringComparison.Ordinal)
        && (path.Length == wanted.Length || wanted[0] == '/' || path[path.Length - wanted.Length - 1] == '/');
}
