using Garden.Experts;

namespace Garden.Perf.Experts;

[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, Element = ExpertElement.Float8E4M3, ScaleBlock = 128, MaxTokens = 128)]
public partial struct DeepSeekFp8;

[ExpertRouting(Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 128)]
public partial struct DeepSeekBf16;
