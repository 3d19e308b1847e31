using System.Runtime.CompilerServices;

namespace Garden.Core.Tests.Docs;

/// <summary>Code between <c>// &lt;name&gt;</c> and <c>// &lt;/name&gt;</c> of a test must stand in a page as it is compiled.</summary>
internal static class Snippets
{
    public static void AssertShown(string page, string name, [CallerFilePath] string file = "")
    {
        string root = Root();
        string[] test = File.ReadAllLines(Path.Combine(root, "tests/Garden.Core.Tests/Docs", Path.GetFileName(file)));
        int first = Array.FindIndex(test, line => line.Trim() == $"// <{name}>") + 1;
        int last = Array.FindIndex(test, line => line.Trim() == $"// </{name}>");
        Assert.True(first > 0 && last > first, $"{file} marks no <{name}>.");
        int indent = test[first].Length - test[first].TrimStart().Length;
        string expected = string.Join('\n', test[first..last].Select(line => line.Length > indent ? line[indent..] : ""));
        Assert.Contains(expected, File.ReadAllText(Path.Combine(root, page)), StringComparison.Ordinal);
    }

    private static string Root()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Garden.slnx")))
            root = Path.GetDirectoryName(root.TrimEnd('/')) ?? throw new InvalidOperationException("The test does not run inside the repository.");
        return root;
    }
}
