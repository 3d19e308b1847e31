using Garden.Experts;

namespace Garden.Generators.Integration.Experts;

[ExpertRouting(
    Experts = 256, TopK = 8, HiddenSize = 7168, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 4096, Ranks = 64,
    RanksPerNode = 8)]
public partial struct DeepSeekV3Fp8;

[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 4096, Ranks = 64, RanksPerNode = 8, ExpertPadding = 128)]
public partial struct DeepSeekV3Bf16;

[ExpertRouting(
    Experts = 256, TopK = 8, HiddenSize = 7168, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 1024, Ranks = 64,
    RanksPerNode = 8, ExactCombine = true)]
public partial struct DeepSeekV3Exact;

// Small ones, for the model that checks every row.
[ExpertRouting(Experts = 8, TopK = 2, HiddenSize = 8, MaxTokens = 4)]
public partial struct EightTopTwo;

[ExpertRouting(Experts = 8, TopK = 2, HiddenSize = 8, MaxTokens = 4, ExactCombine = true)]
public partial struct EightTopTwoExact;

[ExpertRouting(Experts = 7, TopK = 3, HiddenSize = 16, Element = ExpertElement.Float8E4M3, ScaleBlock = 8, MaxTokens = 4, PadExperts = true)]
public partial struct SevenTopThree;

[ExpertRouting(Experts = 5, TopK = 5, HiddenSize = 4, Element = ExpertElement.Float32, CombineElement = ExpertElement.Float32, MaxTokens = 4, PadExperts = true)]
public partial struct FiveTopFive;

[ExpertRouting(Experts = 3, TopK = 1, HiddenSize = 8, Element = ExpertElement.Float16, MaxTokens = 4, PadExperts = true)]
public partial struct ThreeTopOne;

/// <summary>More experts than a line of counts has in its first 128 bytes.</summary>
[ExpertRouting(Experts = 100, TopK = 8, HiddenSize = 8, MaxTokens = 4, PadExperts = true)]
public partial struct HundredTopEight;
