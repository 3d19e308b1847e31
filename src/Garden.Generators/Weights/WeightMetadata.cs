using Microsoft.CodeAnalysis;

namespace Garden.Generators.Weights;

/// <summary>Names in Garden.Core, and reading the attributes that bear them.</summary>
internal static class WeightMetadata
{
    public const string MapAttribute = "Garden.Weights.WeightShardMapAttribute";
    public const string TensorAttribute = "Garden.Weights.WeightTensorAttribute";
    public const string FusionAttribute = "Garden.Weights.WeightFusionAttribute";

    /// <summary>Members a type must not be named after, because they are generated into it.</summary>
    public static readonly HashSet<string> Members = ["RuleCount", "TensorCount", "MapHash"];

    /// <summary>The attributes of a type that bear a name, in the order of the text.</summary>
    public static IEnumerable<AttributeData> AttributesOf(INamedTypeSymbol type, string name) =>
        type.GetAttributes().Where(attribute => attribute.AttributeClass?.ToDisplayString() == name);

    /// <summary>What is declared on a type; null when it has no map or an argument does not compile, which is not for us to report.</summary>
    public static WeightMapDeclaration? Read(INamedTypeSymbol type)
    {
        if (AttributesOf(type, MapAttribute).FirstOrDefault() is not { } map || !Compiles(map))
            return null;
        AttributeData[] tensors = [.. AttributesOf(type, TensorAttribute)];
        AttributeData[] fusions = [.. AttributesOf(type, FusionAttribute)];
        if (!tensors.All(Compiles) || !fusions.All(Compiles))
            return null;
        return new WeightMapDeclaration(
            Text(map, "TrainerMesh") ?? "",
            Text(map, "InferenceMesh") ?? "",
            Text(map, "Trainer") ?? "replicate",
            Text(map, "Inference") ?? "replicate",
            Text(map, "Index") ?? "",
            Number(map, "Element") ?? WeightElements.BFloat16,
            new EquatableArray<WeightTensorDeclaration>(tensors.Select(ReadTensor)),
            new EquatableArray<WeightFusionDeclaration>(fusions.Select(ReadFusion)));
    }

    private static WeightTensorDeclaration ReadTensor(AttributeData attribute) => new(
        attribute.ConstructorArguments[0].Value as string ?? "",
        new EquatableArray<int>(Values(attribute.ConstructorArguments[1]).OfType<int>()),
        Text(attribute, "Trainer") ?? "",
        Text(attribute, "Inference") ?? "",
        Number(attribute, "Element") ?? -1,
        Number(attribute, "Convert") ?? 0);

    private static WeightFusionDeclaration ReadFusion(AttributeData attribute) => new(
        attribute.ConstructorArguments[0].Value as string ?? "",
        new EquatableArray<string>(Values(attribute.ConstructorArguments[1]).Select(value => value as string ?? "")));

    private static IEnumerable<object?> Values(TypedConstant array) => array.IsNull ? [] : array.Values.Select(value => value.Value);

    private static bool Compiles(AttributeData attribute) =>
        attribute.AttributeConstructor is { } constructor
        && attribute.ConstructorArguments.Length == constructor.Parameters.Length
        && attribute.ConstructorArguments.All(argument => argument.Kind != TypedConstantKind.Error)
        && attribute.NamedArguments.All(argument => argument.Value.Kind != TypedConstantKind.Error);

    private static string? Text(AttributeData attribute, string name) => Named(attribute, name) as string;

    private static int? Number(AttributeData attribute, string name) => Named(attribute, name) is byte value ? value : null;

    private static object? Named(AttributeData attribute, string name)
    {
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            if (argument.Key == name)
                return argument.Value.Value;
        }

        return null;
    }
}
