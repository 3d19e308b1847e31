using Garden.Weights;

namespace Garden.Generators.Integration.Weights;

/// <summary>
/// A hybrid MoE model of two and three layers with every kind of rule, small enough to follow each byte: all sizes of its meshes
/// come at run time, and nothing divides.
/// </summary>
[WeightShardMap(TrainerMesh = "fsdp=?, tp=?", InferenceMesh = "ep=?, tp=?", Index = "small-moe.safetensors.index.json", Trainer = "flat(fsdp)")]
[WeightTensor("model.embed_tokens.weight", 37, 10, Trainer = "shard(0, tp, pad) flat(fsdp)", Inference = "shard(0, tp, pad)")]
[WeightTensor("model.layers.{layer}.self_attn.q_proj.weight", 24, 10, Trainer = "shard(0, tp, pad) flat(fsdp)", Inference = "shard(0, tp, pad)")]
[WeightTensor("model.layers.{layer}.self_attn.k_proj.weight", 4, 10, Trainer = "shard(0, tp, pad) flat(fsdp)", Inference = "shard(0, tp, pad, shards=2)")]
[WeightTensor("model.layers.{layer}.self_attn.v_proj.weight", 4, 10, Trainer = "shard(0, tp, pad) flat(fsdp)", Inference = "shard(0, tp, pad, shards=2)")]
[WeightTensor("model.layers.{layer}.self_attn.o_proj.weight", 10, 24, Trainer = "shard(1, tp, pad) flat(fsdp)", Inference = "shard(1, tp, pad)")]
[WeightTensor("model.layers.{layer}.conv1d.weight", 6, 1, 4, Inference = "shard(0, tp, pad)")]
[WeightTensor("model.layers.{layer}.mlp.gate.weight", 5, 10, Element = WeightElement.Float32)]
[WeightTensor("model.layers.{layer}.mlp.experts.{expert}.down_proj.weight", 10, 6, Inference = "expert(ep, pad) shard(1, tp, pad)")]
[WeightTensor("model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight", 6, 10, Trainer = "flat(tp)", Inference = "expert(ep, pad) shard(0, tp, pad)")]
[WeightTensor("model.layers.{layer}.mlp.experts.{expert}.up_proj.weight", 6, 10, Inference = "expert(ep, pad) shard(0, tp, pad)")]
[WeightTensor("model.layers.{layer}.mlp.stacked", 3, 5, 7, Trainer = "shard(0, fsdp, pad) shard(2, tp, pad)", Inference = "shard(1, ep, pad) shard(2, tp, pad)")]
[WeightTensor("model.norm.weight", 10, Trainer = "replicate")]
[WeightFusion("model.layers.{layer}.self_attn.qkv_proj.weight", "model.layers.{layer}.self_attn.q_proj.weight", "model.layers.{layer}.self_attn.k_proj.weight", "model.layers.{layer}.self_attn.v_proj.weight")]
[WeightFusion("model.layers.{layer}.mlp.experts.{expert}.gate_up_proj.weight", "model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight", "model.layers.{layer}.mlp.experts.{expert}.up_proj.weight")]
public partial struct SmallMoe;

/// <summary>Conversions: blocks that the trainer's ranks share, scales, and a fusion of converted tensors. No index: ranges.</summary>
[WeightShardMap(TrainerMesh = "dp=?, tp=?", InferenceMesh = "ep=?, tp=?", Trainer = "flat(dp)")]
[WeightTensor("layers.{layer:1..3}.experts.{expert:0..4}.gate", 256, 200, Trainer = "shard(0, tp, pad) flat(dp)", Inference = "expert(ep, pad) shard(0, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("layers.{layer:1..3}.experts.{expert:0..4}.up", 256, 200, Inference = "expert(ep, pad) shard(0, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("layers.{layer:1..3}.experts.{expert:0..4}.down", 200, 256, Trainer = "shard(1, tp, pad)", Inference = "expert(ep, pad) shard(1, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("layers.{layer:1..3}.norm", 200)]
[WeightTensor("head", 300, 130, Trainer = "shard(0, dp, pad) shard(0, tp, pad)", Convert = WeightConversion.Float8Block128)]
[WeightFusion("layers.{layer}.experts.{expert}.gate_up", "layers.{layer:1..3}.experts.{expert:0..4}.gate", "layers.{layer:1..3}.experts.{expert:0..4}.up")]
public partial struct SmallConverted;

/// <summary>From tensor-parallel ranks to fewer, with rows of all lengths: some go as they are, some are packed.</summary>
[WeightShardMap(TrainerMesh = "dp=2, tp=4", InferenceMesh = "tp=4")]
[WeightTensor("short_rows", 16, 64, Trainer = "shard(0, tp)", Inference = "shard(1, tp)")]
[WeightTensor("long_rows", 8, 16384, Trainer = "shard(0, tp)", Inference = "shard(1, tp)")]
[WeightTensor("short_both", 32, 48, Trainer = "shard(1, tp)", Inference = "shard(0, tp)")]
[WeightTensor("same.{i:0..5}", 16, 32, Trainer = "shard(0, tp)", Inference = "shard(0, tp)")]
public partial struct RowLengths;
