using System.Reflection;
using Garden.Package.Tests;

[assembly: AssemblyFixture(typeof(PackedFeed))]

namespace Garden.Package.Tests;

/// <summary>All packages of the repository, packed once into a folder outside of it; everything is removed at the end.</summary>
public sealed class PackedFeed : IAsyncLifetime
{
    /// <summary>A version no one else has, so that nothing cached can stand in for what was packed.</summary>
    public string Version { get; } = $"0.0.0-test.{Guid.NewGuid():N}";

    /// <summary>A temporary folder.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("garden-packages-").FullName;

    /// <summary>Where the packages are.</summary>
    public string Feed => Path.Combine(Folder, "feed");

    /// <summary>The repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Names of the projects that are packed: everything under src/ but the generators, which travel inside Garden.Core.</summary>
    public static string[] Projects { get; } = [.. Directory.GetDirectories(Path.Combine(Root, "src")).Select(Path.GetFileName).Where(name => name != "Garden.Generators").Order(StringComparer.Ordinal)!];

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        string configuration = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "Configuration").Value!;
        foreach (string project in Projects)
        {
            await DotnetCommand.SucceedAsync(
                Root, "pack", $"src/{project}/{project}.csproj", "--no-build", "-c", configuration, "-o", Feed, $"-p:PackageVersion={Version}");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private static string FindRoot()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Garden.slnx")))
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("Garden.slnx is not above the test's folder.");
        return root;
    }
}
