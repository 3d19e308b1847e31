using Garden.Weights;

namespace WeightSync;

/// <summary>
/// A mixture-of-experts model with the tensor names of DeepSeek-V3 and Kimi-K2 and shapes scaled down: 8 layers, the first one
/// dense, 24 experts, 86 MB in bfloat16. Trainers hold every tensor flat, as ZeRO-3 does; inference ranks hold matrices in FP8,
/// experts dealt out, gate and up fused.
/// </summary>
[WeightShardMap(TrainerMesh = "fsdp=?", InferenceMesh = "ep=?", Trainer = "flat(fsdp)")]
[WeightTensor("model.embed_tokens.weight", 2048, 512)]
[WeightTensor("model.layers.{layer:0..8}.input_layernorm.weight", 512)]
[WeightTensor("model.layers.{layer:0..8}.self_attn.q_a_proj.weight", 192, 512, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..8}.self_attn.q_a_layernorm.weight", 192)]
[WeightTensor("model.layers.{layer:0..8}.self_attn.q_b_proj.weight", 768, 192, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..8}.self_attn.kv_a_proj_with_mqa.weight", 160, 512, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..8}.self_attn.kv_a_layernorm.weight", 128)]
[WeightTensor("model.layers.{layer:0..8}.self_attn.kv_b_proj.weight", 1024, 128, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..8}.self_attn.o_proj.weight", 512, 512, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..8}.post_attention_layernorm.weight", 512)]
[WeightTensor("model.layers.{layer:0..1}.mlp.gate_proj.weight", 1280, 512, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..1}.mlp.up_proj.weight", 1280, 512, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:0..1}.mlp.down_proj.weight", 512, 1280, Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:1..8}.mlp.gate.weight", 24, 512)]
[WeightTensor("model.layers.{layer:1..8}.mlp.gate.e_score_correction_bias", 24, Element = WeightElement.Float32)]
[WeightTensor("model.layers.{layer:1..8}.mlp.experts.{expert:0..24}.gate_proj.weight", 128, 512, Inference = "expert(ep, pad)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:1..8}.mlp.experts.{expert:0..24}.up_proj.weight", 128, 512, Inference = "expert(ep, pad)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.layers.{layer:1..8}.mlp.experts.{expert:0..24}.down_proj.weight", 512, 128, Inference = "expert(ep, pad)", Convert = WeightConversion.Float8Block128)]
[WeightTensor("model.norm.weight", 512)]
[WeightTensor("lm_head.weight", 2048, 512)]
[WeightFusion("model.layers.{layer}.mlp.experts.{expert}.gate_up_proj.weight",
    "model.layers.{layer:1..8}.mlp.experts.{expert:0..24}.gate_proj.weight", "model.layers.{layer:1..8}.mlp.experts.{expert:0..24}.up_proj.weight")]
public partial struct TinyMoe;
