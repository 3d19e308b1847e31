using System.Text.RegularExpressions;

namespace Garden.Package.Tests;

/// <summary>A project outside the repository that knows Garden only by its packages.</summary>
public sealed partial class ConsumerTests(PackedFeed feed)
{
    private const string Config = """{"num_hidden_layers": 3, "kv_lora_rank": 12, "qk_rope_head_dim": 4, "dtype": "bfloat16"}""";

    [Fact]
    public async Task The_readme_s_example_builds_without_warnings_and_runs()
    {
        string[] examples = [.. Example().Matches(await File.ReadAllTextAsync(Path.Combine(PackedFeed.Root, "README.md"), TestContext.Current.CancellationToken)).Select(match => match.Groups[1].Value)];
        string folder = Create("runs", $$"""
            using Garden;
            using Garden.Experts;
            using Garden.Fabric.Loopback;
            using Garden.KvCache;

            {{examples[1]}}
            Console.WriteLine($"{delivery.Bytes} bytes, {FromModel.Layers} layers of {FromModel.HeadSize}, {Routing.RowBytes} bytes a row");

            {{examples[0]}}

            [KvPageLayout(Model = "tiny.config.json", TokensPerPage = 4)]
            public partial struct FromModel;

            [ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 128, Ranks = 8)]
            public partial struct Routing;
            """);
        await DotnetCommand.SucceedAsync(folder, "build", "-c", "Release", "-v", "q");
        Assert.Contains(
            "71958528 bytes, 3 layers of 16, 14400 bytes a row",
            await DotnetCommand.SucceedAsync(folder, "bin/Release/net10.0/Consumer.dll"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mistake_is_reported_by_its_rule()
    {
        string folder = Create("fails", """
            using Garden.Experts;
            using Garden.KvCache;

            Console.WriteLine("Never built.");

            [KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, TensorParallel = 3)]
            public partial struct Layout;

            [KvPageLayout(Model = "other.config.json", TokensPerPage = 16)]
            public partial struct FromModel;

            [ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 128, Ranks = 3)]
            public partial struct Routing;
            """);
        (int code, string output) = await DotnetCommand.RunAsync(folder, "build", "-c", "Release", "-v", "q");
        Assert.NotEqual(0, code);
        Assert.Contains("Program.cs(6,77): error GRDN0003: 8 KV heads cannot be divided over 3", output, StringComparison.Ordinal);
        Assert.Contains("Program.cs(9,15): error GRDN0020: 'other.config.json' is not among the additional files", output, StringComparison.Ordinal);
        Assert.Contains("Program.cs(12,77): error GRDN0032: 256 experts cannot be divided over 3 ranks", output, StringComparison.Ordinal);
    }

    private string Create(string name, string program)
    {
        string folder = Directory.CreateDirectory(Path.Combine(feed.Folder, name)).FullName;
        string references = string.Join('\n', PackedFeed.Projects.Select(project => $"""    <PackageReference Include="{project}" Version="{feed.Version}" />"""));
        File.WriteAllText(Path.Combine(folder, "Program.cs"), program);
        File.WriteAllText(Path.Combine(folder, "tiny.config.json"), Config);
        File.WriteAllText(Path.Combine(folder, "Consumer.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <NuGetAudit>false</NuGetAudit>
              </PropertyGroup>
              <ItemGroup>
            {references}
                <AdditionalFiles Include="tiny.config.json" />
              </ItemGroup>
            </Project>
            """);
        // Beside the machine's own sources; packages go where nobody else looks.
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
            <configuration>
              <config>
                <add key="globalPackagesFolder" value="{Path.Combine(feed.Folder, "packages")}" />
              </config>
              <packageSources>
                <add key="garden" value="{feed.Feed}" />
              </packageSources>
            </configuration>
            """);
        return folder;
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
