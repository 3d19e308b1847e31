namespace Garden.Core.Tests.Weights;

/// <summary>Files of real models beside the repository.</summary>
internal static class SharedFiles
{
    /// <summary>A file under <c>shared/data</c>, beside the repository or inside it; null when it is not there.</summary>
    public static string? Find(string path)
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            string candidate = Path.Combine(directory.FullName, "shared", "data", path);
            if (File.Exists(candidate))
                return candidate;
        }

        return null;
    }
}
