namespace Garden.Generators.Weights;

/// <summary>The enumerations of Garden.Core by value; a generator does not reference what it generates for.</summary>
internal static class WeightElements
{
    public const int BFloat16 = 1;
    public const int Float32 = 2;
    public const int Float8Block128 = 1;

    /// <summary>Rows and columns of a block of <see cref="Float8Block128"/>.</summary>
    public const int Block = 128;

    /// <summary>Bytes of an element after <see cref="Float8Block128"/>, and of a scale.</summary>
    public const int Float8Bytes = 1, ScaleBytes = 4;

    public static readonly string[] Names = ["Float16", "BFloat16", "Float32", "Float8E4M3", "Float8E5M2", "Int8"];
    public static readonly string[] ConversionNames = ["None", "Float8Block128"];

    private static readonly int[] s_bytes = [2, 2, 4, 1, 1, 1];

    public static int BytesOf(int element) => s_bytes[element];
}
