using Garden.Experts;

namespace Garden.Kernels.Tests.Experts;

[ExpertRouting(Experts = 16, TopK = 2, HiddenSize = 256, MaxTokens = 8, PadExperts = true)]
public partial struct Bf16TopTwo;

[ExpertRouting(Experts = 40, TopK = 8, HiddenSize = 128, MaxTokens = 8, PadExperts = true)]
public partial struct Bf16TopEight;

[ExpertRouting(Experts = 3, TopK = 1, HiddenSize = 64, MaxTokens = 8, PadExperts = true)]
public partial struct Bf16TopOne;

[ExpertRouting(Experts = 16, TopK = 2, HiddenSize = 256, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 8, PadExperts = true)]
public partial struct Fp8TopTwo;

[ExpertRouting(Experts = 32, TopK = 8, HiddenSize = 384, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 8, PadExperts = true)]
public partial struct Fp8TopEight;

[ExpertRouting(Experts = 9, TopK = 1, HiddenSize = 128, Element = ExpertElement.Float8E4M3, ScaleBlock = 64, CombineElement = ExpertElement.Float32, MaxTokens = 8, PadExperts = true)]
public partial struct Fp8TopOneFp32;

[ExpertRouting(Experts = 12, TopK = 2, HiddenSize = 48, Element = ExpertElement.Float8E4M3, ScaleBlock = 48, CombineElement = ExpertElement.Float16, MaxTokens = 8, PadExperts = true)]
public partial struct Fp8OddBlocks;

[ExpertRouting(Experts = 24, TopK = 8, HiddenSize = 64, Element = ExpertElement.Float16, CombineElement = ExpertElement.Float16, MaxTokens = 8, PadExperts = true)]
public partial struct Fp16TopEight;

[ExpertRouting(Experts = 13, TopK = 2, HiddenSize = 52, Element = ExpertElement.Float32, CombineElement = ExpertElement.Float32, MaxTokens = 8, PadExperts = true)]
public partial struct Fp32TopTwo;

// Choices that are repeated: looked at one by one, by vectors, and with a row for each result.
[ExpertRouting(Experts = 16, TopK = 2, HiddenSize = 64, MaxTokens = 130)]
public partial struct Bf16Repeated;

[ExpertRouting(Experts = 16, TopK = 12, HiddenSize = 64, MaxTokens = 130)]
public partial struct Bf16RepeatedTwelve;

[ExpertRouting(Experts = 16, TopK = 8, HiddenSize = 64, MaxTokens = 130, ExactCombine = true)]
public partial struct Bf16RepeatedExact;

// Over three nodes, and within one of them.
[ExpertRouting(Experts = 24, TopK = 4, HiddenSize = 64, MaxTokens = 8)]
public partial struct NodesBf16;

[ExpertRouting(Experts = 8, TopK = 4, HiddenSize = 64, MaxTokens = 24)]
public partial struct NodeBf16;

[ExpertRouting(Experts = 24, TopK = 4, HiddenSize = 128, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 8)]
public partial struct NodesFp8;

[ExpertRouting(Experts = 8, TopK = 4, HiddenSize = 128, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 24)]
public partial struct NodeFp8;

[ExpertRouting(Experts = 24, TopK = 8, HiddenSize = 128, MaxTokens = 8, PadExperts = true, ExactCombine = true)]
public partial struct Bf16Exact;

[ExpertRouting(Experts = 11, TopK = 2, HiddenSize = 256, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 8, PadExperts = true, ExactCombine = true)]
public partial struct Fp8Exact;

[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 128)]
public partial struct DeepSeekFp8;

[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 128, ExactCombine = true)]
public partial struct DeepSeekExact;

[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 128)]
public partial struct DeepSeekBf16;
