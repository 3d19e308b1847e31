using Garden.Weights;

namespace Garden.Perf.Weights.Update;

/// <summary>
/// Experts of one layer, 16 MiB each: flat over trainer ranks, whole experts at inference, so that every trainer rank sends to every
/// inference rank and nothing is converted. 128 experts are 2 GiB.
/// </summary>
[WeightShardMap(TrainerMesh = "fsdp=?", InferenceMesh = "ep=?", Trainer = "flat(fsdp)", Inference = "expert(ep)")]
[WeightTensor("model.layers.0.mlp.experts.{expert:0..128}.down_proj.weight", 4096, 2048)]
public partial struct UpdateMap;
