using Garden.Weights;

namespace WeightSync;

/// <summary>Llama-3-8B as it is, 16 GB in bfloat16, for <c>--model Llama8B --checkpoint DIR</c>: matrices in FP8 at inference, q, k, v and gate, up fused.</summary>
[WeightShardMap(TrainerMesh = "fsdp=?", InferenceMesh = "tp=?", Trainer = "flat(fsdp)")]
[WeightTensor("model.embed_tokens.weight", 128256, 4096, Inference = "shard(0, tp)")]
[WeightTensor("model.layers.{layer:0..32}.input_layernorm.weight", 4096)]
[WeightTensor("model.layers.{layer:0..32}.self_attn.q_proj.weight", 4096, 4096, Inference = "shard(0, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..32}.self_attn.k_proj.weight", 1024, 4096, Inference = "shard(0, tp, shards=8)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..32}.self_attn.v_proj.weight", 1024, 4096, Inference = "shard(0, tp, shards=8)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..32}.self_attn.o_proj.weight", 4096, 4096, Inference = "shard(1, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..32}.post_attention_layernorm.weight", 4096)]
[WeightTensor("model.layers.{layer:0..32}.mlp.gate_proj.weight", 14336, 4096, Inference = "shard(0, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..32}.mlp.up_proj.weight", 14336, 4096, Inference = "shard(0, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..32}.mlp.down_proj.weight", 4096, 14336, Inference = "shard(1, tp)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.norm.weight", 4096)]
[WeightTensor("lm_head.weight", 128256, 4096, Inference = "shard(0, tp)")]
[WeightFusion("model.layers.{layer}.self_attn.qkv_proj.weight",
    "model.layers.{layer:0..32}.self_attn.q_proj.weight", "model.layers.{layer:0..32}.self_attn.k_proj.weight", "model.layers.{layer:0..32}.self_attn.v_proj.weight")]
[WeightFusion("model.layers.{layer}.mlp.gate_up_proj.weight", "model.layers.{layer:0..32}.mlp.gate_proj.weight", "model.layers.{layer:0..32}.mlp.up_proj.weight")]
public partial struct Llama8B;
