using Garden.Weights;

namespace Garden.Benchmarks.Weights;

/// <summary>Row-parallel matrices from 8 ranks to 4: a row of the sender is half a row of the receiver.</summary>
[WeightShardMap(TrainerMesh = "tp=8", InferenceMesh = "tp=4")]
[WeightTensor("layers.{layer:0..8}.mlp.down_proj.weight", 128, 28672, Trainer = "shard(1, tp)", Inference = "shard(1, tp)")]
public partial struct RowParallel;

/// <summary>Experts flat over 256 trainer ranks, at inference whole on one of two: a sender's share of an expert is two rows.</summary>
[WeightShardMap(TrainerMesh = "fsdp=256", InferenceMesh = "ep=2", Trainer = "flat(fsdp)")]
[WeightTensor("layers.{layer:0..8}.mlp.experts.{expert:0..256}.up_proj.weight", 512, 2048, Inference = "expert(ep)")]
public partial struct FlatExperts;
