namespace Garden.Experts;

/// <summary>The element type of token rows that travel between ranks.</summary>
public enum ExpertElement : byte
{
    /// <summary>bfloat16, 2 bytes.</summary>
    BFloat16 = 0,

    /// <summary>IEEE half precision, 2 bytes.</summary>
    Float16 = 1,

    /// <summary>IEEE single precision, 4 bytes.</summary>
    Float32 = 2,

    /// <summary>FP8 e4m3, 1 byte, with a single-precision scale for every block of a row.</summary>
    Float8E4M3 = 3,
}
