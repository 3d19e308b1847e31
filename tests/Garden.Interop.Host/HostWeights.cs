using Garden.Weights;

namespace Garden.Interop.Host;

/// <summary>A small model for updates between processes: blocks that trainer ranks share, scales, and tensors that go as they are.</summary>
[WeightShardMap(TrainerMesh = "fsdp=?", InferenceMesh = "ep=?", Trainer = "flat(fsdp)")]
[WeightTensor("layers.{layer:0..4}.experts.{expert:0..8}.up", 320, 512, Inference = "expert(ep)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("layers.{layer:0..4}.experts.{expert:0..8}.down", 512, 320, Inference = "expert(ep)")]
[WeightTensor("layers.{layer:0..4}.norm", 512)]
public partial struct HostWeights
{
    /// <summary>Two trainer ranks, two inference ranks.</summary>
    public static WeightMeshes<HostWeights> Meshes { get; } = WeightMeshes<HostWeights>.Create(new WeightMesh(2), new WeightMesh(2));

    /// <summary>The schedule, the same in every process.</summary>
    public static WeightSchedule Schedule { get; } = WeightSchedule.Plan(Meshes);
}
