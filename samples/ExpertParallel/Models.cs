using Garden.Experts;

namespace ExpertParallel;

/// <summary>DeepSeek-V3's experts: rows are quantised to FP8 on the way, results come back in BF16.</summary>
[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 128)]
public partial struct DeepSeekV3;

/// <summary>The same with BF16 in both directions.</summary>
[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 128)]
public partial struct DeepSeekV3Bf16;
