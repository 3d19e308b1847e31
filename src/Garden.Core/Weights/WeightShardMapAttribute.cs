namespace Garden.Weights;

/// <summary>
/// Declares, on a <c>partial struct</c>, how the tensors of a model lie on the ranks of a trainer and on those of an inference
/// deployment. The tensors are given by <see cref="WeightTensorAttribute"/>s. The generator implements
/// <see cref="IWeightShardMap{TSelf}"/> on it, and <see cref="WeightMeshes{TMap}"/> works out who sends what to whom.
/// </summary>
/// <remarks>
/// <para>
/// A <b>mesh</b> is a list of axes, <c>"dp=16, tp=8"</c>; <c>"dp=?, tp=8"</c> leaves a size to run time. At most four axes;
/// ranks are numbered with the last axis running fastest, as in a PyTorch device mesh.
/// </para>
/// <para>
/// A <b>placement</b> is a list of splits, each over an axis of the mesh and each applied to what the ones before it left:
/// <c>shard(d, axis)</c> cuts dimension d (0, 1 or 2) into equal ranges; <c>expert(axis)</c> deals the experts in equal
/// consecutive ranges; <c>flat(axis)</c>, always last, cuts the flattened rest into equal ranges of elements. Axes that are not
/// named hold copies; <c>replicate</c> names none. <c>shard(0, tp, pad)</c> lets the last ranks have less where the size does
/// not divide, and <c>shard(0, tp, shards=8)</c> makes at most 8 shards, each held by neighbouring ranks (key and value
/// projections with fewer heads than ranks).
/// </para>
/// </remarks>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class WeightShardMapAttribute : Attribute
{
    /// <summary>The trainer's mesh, such as <c>"fsdp=256"</c>. Required.</summary>
    public string TrainerMesh { get; set; } = "";

    /// <summary>The inference mesh, such as <c>"ep=16, tp=8"</c>. Required.</summary>
    public string InferenceMesh { get; set; } = "";

    /// <summary>The placement at the trainer of tensors whose rule gives none.</summary>
    public string Trainer { get; set; } = "replicate";

    /// <summary>The placement at inference of tensors whose rule gives none.</summary>
    public string Inference { get; set; } = "replicate";

    /// <summary>
    /// A <c>model.safetensors.index.json</c> among the project's <c>AdditionalFiles</c>, by its name or the end of its path. Its
    /// names say which tensors there are, and every one must be matched by exactly one rule. Without it the variables of all rules
    /// need ranges.
    /// </summary>
    public string Index { get; set; } = "";

    /// <summary>Element type of tensors whose rule gives none.</summary>
    public WeightElement Element { get; set; } = WeightElement.BFloat16;
}
