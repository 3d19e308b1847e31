using System.Text.Json;

namespace Garden.Generators.Integration.Weights.Model;

/// <summary>What an index file lists.</summary>
internal sealed record IndexFile(string[] Names, long TotalBytes)
{
    /// <summary>The repository's own index.</summary>
    public static IndexFile Small => Read(Path.Combine(AppContext.BaseDirectory, "Models", "small-moe.safetensors.index.json"));

    /// <summary>The index of a real model beside the repository; skips the test when it is absent.</summary>
    public static IndexFile Shared(string model)
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Garden.slnx")))
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("Garden.slnx is not above the test's folder.");
        string path = Path.Combine(root, "..", "shared", "data", "models", model, "model.safetensors.index.json");
        if (!File.Exists(path))
            Assert.Skip($"The index of {model} is not at {path}; put the model's model.safetensors.index.json there and build again.");
        return Read(path);
    }

    private static IndexFile Read(string path)
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllBytes(path));
        return new IndexFile(
            [.. file.RootElement.GetProperty("weight_map").EnumerateObject().Select(tensor => tensor.Name)],
            file.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
    }
}
