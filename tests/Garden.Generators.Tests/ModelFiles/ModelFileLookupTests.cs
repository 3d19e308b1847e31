using Garden.Generators.ModelFiles;

namespace Garden.Generators.Tests.ModelFiles;

public sealed class ModelFileLookupTests
{
    private static readonly ModelFile<ModelConfig>[] s_files =
    [
        new("/src/models/llama/config.json", new ModelConfig { HiddenSize = 1 }, null),
        new("/src/models/qwen/config.json", new ModelConfig { HiddenSize = 2 }, null),
        new("/src/models/qwen/config.json", new ModelConfig { HiddenSize = 2 }, null),
        new("/src/deepseek.config.json", new ModelConfig { HiddenSize = 3 }, null),
        new("/src/broken.json", null, "line 1, column 2: expected a value"),
    ];

    [Theory]
    [InlineData("deepseek.config.json", 3)]
    [InlineData("qwen/config.json", 2)]
    [InlineData("models\\llama\\config.json", 1)]
    [InlineData("/src/deepseek.config.json", 3)]
    public void A_file_is_found_by_the_end_of_its_path(string name, int hiddenSize)
    {
        ModelConfig? config = ModelFileLookup.Find(s_files, name, "Model", out RuleViolation? violation);
        Assert.Null(violation);
        Assert.Equal(hiddenSize, config!.HiddenSize);
    }

    [Theory]
    [InlineData("config.json", "GRDN0020", "/src/models/llama/config.json")]
    [InlineData("seek.config.json", "GRDN0020", "is not among the additional files")]
    [InlineData("Deepseek.config.json", "GRDN0020", "is not among the additional files")]
    [InlineData("", "GRDN0020", "is not among the additional files")]
    [InlineData("broken.json", "GRDN0021", "line 1, column 2")]
    public void Anything_else_is_a_violation(string name, string id, string value)
    {
        Assert.Null(ModelFileLookup.Find(s_files, name, "Model", out RuleViolation? violation));
        Assert.Equal((id, "Model"), (violation!.Id, violation.Argument));
        Assert.Contains(violation.Values, text => text.Contains(value, StringComparison.Ordinal));
    }
}
