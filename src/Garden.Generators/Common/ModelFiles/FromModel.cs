using System.Globalization;

namespace Garden.Generators.ModelFiles;

/// <summary>A positive number that follows from a model file, or why none does.</summary>
/// <param name="Value">The number; null when the file does not tell.</param>
/// <param name="Source">The fields it follows from; without a value, what is wrong with them.</param>
internal readonly record struct FromModel(int? Value, string Source)
{
    public static FromModel Of(long value, string source) => value is > 0 and <= int.MaxValue
        ? new FromModel((int)value, source)
        : Unknown($"{source} is {value.ToString(CultureInfo.InvariantCulture)}");

    public static FromModel Unknown(string reason) => new(null, reason);
}
