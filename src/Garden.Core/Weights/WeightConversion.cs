namespace Garden.Weights;

/// <summary>What happens to the elements of a tensor between the trainer and the inference rank.</summary>
public enum WeightConversion : byte
{
    /// <summary>Nothing: bytes move as they are.</summary>
    None = 0,

    /// <summary>
    /// bfloat16 becomes FP8 e4m3 with one float32 scale for each block of 128 × 128 elements (blocks at the ends are smaller).
    /// The inference rank holds the elements, 1 byte each, and the scales, a tensor of ⌈rows / 128⌉ × ⌈columns / 128⌉.
    /// </summary>
    Float8Block128 = 1,
}
