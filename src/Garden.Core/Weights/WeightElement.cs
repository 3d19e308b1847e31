namespace Garden.Weights;

/// <summary>The element type of a tensor.</summary>
public enum WeightElement : byte
{
    /// <summary>IEEE half precision, 2 bytes.</summary>
    Float16 = 0,

    /// <summary>bfloat16, 2 bytes.</summary>
    BFloat16 = 1,

    /// <summary>IEEE single precision, 4 bytes.</summary>
    Float32 = 2,

    /// <summary>FP8 e4m3, 1 byte.</summary>
    Float8E4M3 = 3,

    /// <summary>FP8 e5m2, 1 byte.</summary>
    Float8E5M2 = 4,

    /// <summary>Signed 8-bit integer, 1 byte.</summary>
    Int8 = 5,
}
