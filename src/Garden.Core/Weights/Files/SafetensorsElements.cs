namespace Garden.Weights;

/// <summary>Names and sizes of <see cref="SafetensorsElement"/>s, and the ones that a shard map has as well.</summary>
public static class SafetensorsElements
{
    private static readonly string[] s_names =
        ["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "U16", "I16", "F16", "BF16", "U32", "I32", "F32", "U64", "I64", "F64"];

    /// <summary>The name in a header.</summary>
    public static string NameOf(SafetensorsElement element) => s_names[(int)element];

    /// <summary>Bytes an element.</summary>
    public static int BytesOf(SafetensorsElement element) => element switch
    {
        <= SafetensorsElement.Float8E8M0 => 1,
        <= SafetensorsElement.BFloat16 => 2,
        <= SafetensorsElement.Float32 => 4,
        _ => 8,
    };

    /// <summary>The type of a header's name; false when the format has none of that name, or one of less than a byte.</summary>
    public static bool TryParse(string name, out SafetensorsElement element)
    {
        int index = Array.IndexOf(s_names, name);
        element = (SafetensorsElement)Math.Max(0, index);
        return index >= 0;
    }

    /// <summary>The type a file has for the tensors of a shard map.</summary>
    public static SafetensorsElement Of(WeightElement element) => element switch
    {
        WeightElement.Float16 => SafetensorsElement.Float16,
        WeightElement.BFloat16 => SafetensorsElement.BFloat16,
        WeightElement.Float32 => SafetensorsElement.Float32,
        WeightElement.Float8E4M3 => SafetensorsElement.Float8E4M3,
        WeightElement.Float8E5M2 => SafetensorsElement.Float8E5M2,
        _ => SafetensorsElement.Int8,
    };
}
