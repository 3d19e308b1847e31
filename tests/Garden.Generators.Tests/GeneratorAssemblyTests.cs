using System.Reflection;
using Garden.Generators.KvCache;
using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests;

public sealed class GeneratorAssemblyTests
{
    private static readonly Assembly s_generators = typeof(KvPageLayoutGenerator).Assembly;

    [Fact]
    public void The_generator_runs_in_every_net10_sdk()
    {
        // A generator compiled against a newer Roslyn than the SDK's is dropped with CS9057.
        Assert.All(
            s_generators.GetReferencedAssemblies().Where(name => name.Name!.StartsWith("Microsoft.CodeAnalysis", StringComparison.Ordinal)),
            name => Assert.Equal(new Version(5, 0, 0, 0), name.Version));
    }

    [Fact]
    public void The_generator_needs_nothing_beside_roslyn()
    {
        string[] foreign = [.. s_generators.GetReferencedAssemblies()
            .Select(name => name.Name!)
            .Where(name => name != "netstandard" && !name.StartsWith("Microsoft.CodeAnalysis", StringComparison.Ordinal) && !name.StartsWith("System.", StringComparison.Ordinal))];
        Assert.Empty(foreign);
    }

    [Fact]
    public void Pipeline_models_hold_values_only()
    {
        Type[] models = [.. s_generators.GetTypes().Where(type => type.Name.EndsWith("Model", StringComparison.Ordinal) || type.Name.Contains("Declared", StringComparison.Ordinal))];
        Assert.Equal(["ExpertDeclaredRouting", "ExpertRoutingModel", "FromModel", "KvDeclaredLayout", "KvDeclaredTransfer", "KvPageLayoutModel", "KvTransferModel", "WeightDeclaredMap", "WeightShardMapModel"], models.Select(model => model.Name).Order(StringComparer.Ordinal));
        foreach (Type model in (Type[])[.. models, typeof(ModelFile<ModelConfig>), typeof(ModelFile<SafetensorsIndex>)])
            AssertIsValue(model, model.Name);
    }

    private static void AssertIsValue(Type type, string path)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string) || type.IsPrimitive)
            return;
        bool array = type.Name == "EquatableArray`1";
        Assert.True(array || type.IsSealed, $"{path} is {type}, which is not sealed.");
        Assert.True(typeof(IEquatable<>).MakeGenericType(type).IsAssignableFrom(type), $"{path} is {type}, which does not compare by value.");
        Assert.False(
            typeof(ISymbol).IsAssignableFrom(type) || typeof(SyntaxNode).IsAssignableFrom(type) || typeof(Location).IsAssignableFrom(type) || typeof(Compilation).IsAssignableFrom(type),
            $"{path} is {type}, which keeps a compilation alive.");
        if (array)
        {
            AssertIsValue(type.GetGenericArguments()[0], path + "[]");
            return;
        }

        Assert.Equal(s_generators, type.Assembly);
        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            AssertIsValue(field.FieldType, $"{path}.{field.Name}");
    }
}
