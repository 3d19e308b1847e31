using System.IO.Compression;
using System.Reflection.Metadata;
using System.Xml.Linq;

namespace Garden.Package.Tests;

/// <summary>What is in the packages.</summary>
public sealed class PackageContentTests(PackedFeed feed)
{
    private static readonly Guid s_sourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A");
    private static readonly Guid s_embeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    public static TheoryData<string> Projects => [.. PackedFeed.Projects];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_package_has_assembly_docs_readme_and_licence(string project)
    {
        using ZipArchive package = Open(project, "nupkg");
        foreach (string entry in (string[])[$"lib/net10.0/{project}.dll", $"lib/net10.0/{project}.xml", "README.md", "LICENSE"])
            Assert.NotNull(package.GetEntry(entry));
        XElement metadata = XDocument.Load(package.GetEntry($"{project}.nuspec")!.Open()).Root!.Elements().First();
        Assert.Equal("MIT", Value("license"));
        Assert.Equal("README.md", Value("readme"));
        Assert.NotEmpty(Value("description")!);
        Assert.NotEmpty(Value("authors")!);

        string? Value(string name) => metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;
    }

    [Fact]
    public void The_core_carries_generator_and_code_fixes_and_nothing_else_for_the_compiler()
    {
        using ZipArchive package = Open("Garden.Core", "nupkg");
        Assert.Equal(
            ["analyzers/dotnet/cs/Garden.Generators.CodeFixes.dll", "analyzers/dotnet/cs/Garden.Generators.dll"],
            package.Entries.Select(entry => entry.FullName).Where(name => name.StartsWith("analyzers/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_debugger_finds_every_source(string project)
    {
        using ZipArchive symbols = Open(project, "snupkg");
        using var pdb = new MemoryStream();
        using (Stream entry = symbols.GetEntry($"lib/net10.0/{project}.pdb")!.Open())
            entry.CopyTo(pdb);
        pdb.Position = 0;
        using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbStream(pdb);
        MetadataReader reader = provider.GetMetadataReader();
        bool linked = reader.GetCustomDebugInformation(EntityHandle.ModuleDefinition).Any(handle => KindOf(handle) == s_sourceLink);
        Assert.NotEmpty(reader.Documents);
        // By the remote's address where there is a remote, else inside the symbols.
        Assert.All(reader.Documents, document => Assert.True(
            linked || reader.GetCustomDebugInformation(document).Any(handle => KindOf(handle) == s_embeddedSource),
            $"{reader.GetString(reader.GetDocument(document).Name)} is neither linked nor embedded."));

        Guid KindOf(CustomDebugInformationHandle handle) => reader.GetGuid(reader.GetCustomDebugInformation(handle).Kind);
    }

    private ZipArchive Open(string project, string extension) =>
        ZipFile.OpenRead(Path.Combine(feed.Feed, $"{project}.{feed.Version}.{extension}"));
}
