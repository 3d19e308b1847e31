namespace Garden.Weights;

/// <summary>The element types that a safetensors header names.</summary>
public enum SafetensorsElement : byte
{
    /// <summary>BOOL, 1 byte.</summary>
    Bool = 0,

    /// <summary>U8, 1 byte.</summary>
    UInt8 = 1,

    /// <summary>I8, 1 byte.</summary>
    Int8 = 2,

    /// <summary>F8_E4M3, 1 byte.</summary>
    Float8E4M3 = 3,

    /// <summary>F8_E5M2, 1 byte.</summary>
    Float8E5M2 = 4,

    /// <summary>F8_E8M0, 1 byte: a power of two, as block formats use for scales.</summary>
    Float8E8M0 = 5,

    /// <summary>U16, 2 bytes.</summary>
    UInt16 = 6,

    /// <summary>I16, 2 bytes.</summary>
    Int16 = 7,

    /// <summary>F16, 2 bytes.</summary>
    Float16 = 8,

    /// <summary>BF16, 2 bytes.</summary>
    BFloat16 = 9,

    /// <summary>U32, 4 bytes.</summary>
    UInt32 = 10,

    /// <summary>I32, 4 bytes.</summary>
    Int32 = 11,

    /// <summary>F32, 4 bytes.</summary>
    Float32 = 12,

    /// <summary>U64, 8 bytes.</summary>
    UInt64 = 13,

    /// <summary>I64, 8 bytes.</summary>
    Int64 = 14,

    /// <summary>F64, 8 bytes.</summary>
    Float64 = 15,
}
