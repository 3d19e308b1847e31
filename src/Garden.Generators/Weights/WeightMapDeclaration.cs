namespace Garden.Generators.Weights;

/// <summary>The attributes of a map as they are written.</summary>
internal sealed record WeightMapDeclaration(
    string TrainerMesh,
    string InferenceMesh,
    string Trainer,
    string Inference,
    string Index,
    int Element,
    EquatableArray<WeightTensorDeclaration> Tensors,
    EquatableArray<WeightFusionDeclaration> Fusions);

/// <summary>A rule as it is written. What it leaves to the map is empty, or −1 as its element.</summary>
internal sealed record WeightTensorDeclaration(string Name, EquatableArray<int> Shape, string Trainer, string Inference, int Element, int Convert);

/// <summary>A fusion as it is written.</summary>
internal sealed record WeightFusionDeclaration(string Name, EquatableArray<string> Members);
