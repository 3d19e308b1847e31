using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>
/// Every way from a trainer to an inference rank: blocks that several trainer ranks hold parts of, by rows, by columns and flat; a
/// fusion of converted tensors; rows that are packed; tensors that go as they are; equal copies on both sides.
/// </summary>
[WeightShardMap(TrainerMesh = "dp=?, tp=?", InferenceMesh = "ep=?, tp=?", Trainer = "flat(dp)")]
[WeightTensor("layers.{layer:0..2}.experts.{expert:0..4}.gate", 256, 200, Trainer = "shard(0, tp, pad) flat(dp)", Inference = "expert(ep, pad) shard(0, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("layers.{layer:0..2}.experts.{expert:0..4}.up", 256, 200, Inference = "expert(ep, pad) shard(0, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("layers.{layer:0..2}.experts.{expert:0..4}.down", 200, 256, Trainer = "shard(1, tp, pad)", Inference = "expert(ep, pad) shard(1, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("layers.{layer:0..2}.norm", 200)]
[WeightTensor("layers.{layer:0..2}.out", 64, 96, Trainer = "shard(1, tp)", Inference = "shard(0, tp)")]
[WeightTensor("layers.{layer:0..2}.wide", 64, 4096, Trainer = "shard(0, tp)", Inference = "shard(0, tp)")]
[WeightTensor("head", 300, 130, Trainer = "shard(0, dp, pad) shard(0, tp, pad)", Convert = WeightConversion.Float8Block128)]
[WeightFusion("layers.{layer}.experts.{expert}.gate_up", "layers.{layer:0..2}.experts.{expert:0..4}.gate", "layers.{layer:0..2}.experts.{expert:0..4}.up")]
public partial struct FleetMap;

/// <summary>The same tensors and nothing else in common: another placement, so another hash.</summary>
[WeightShardMap(TrainerMesh = "dp=?, tp=?", InferenceMesh = "ep=?, tp=?")]
[WeightTensor("head", 300, 130)]
public partial struct OtherMap;
