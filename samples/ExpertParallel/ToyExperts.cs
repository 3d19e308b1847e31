using System.Runtime.InteropServices;
using Garden.Experts;

namespace ExpertParallel;

/// <summary>
/// Experts that are cheap and can be told apart: expert e multiplies element i by its own factor. They run on the host, row by row,
/// where a model has a grouped matrix product.
/// </summary>
internal static class ToyExperts
{
    public static double Factor(int expert, int element) => Math.Sin((expert * 37) + (element * 0.01)) + 1.5;

    /// <summary>Applies each local expert to the rows it received.</summary>
    /// <param name="first">The rank's first expert.</param>
    /// <param name="firstRows">[expert + 1] where each expert's rows begin.</param>
    /// <param name="counts">[expert] rows of each expert.</param>
    /// <param name="rows">[row][hidden] as they were received.</param>
    /// <param name="scales">[row][scale], empty when rows are BF16.</param>
    /// <param name="results">[row][hidden] BF16.</param>
    public static void Run<TRouting>(int first, ReadOnlySpan<int> firstRows, ReadOnlySpan<int> counts, ReadOnlySpan<byte> rows, ReadOnlySpan<float> scales, Span<byte> results)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        Span<ushort> output = MemoryMarshal.Cast<byte, ushort>(results);
        int hidden = TRouting.HiddenSize;
        var factors = new float[hidden];
        for (int expert = 0; expert < counts.Length; expert++)
        {
            for (int i = 0; i < hidden && counts[expert] != 0; i++)
                factors[i] = (float)Factor(first + expert, i);
            for (int row = firstRows[expert]; row < firstRows[expert] + counts[expert]; row++)
            {
                for (int i = 0; i < hidden; i++)
                {
                    float value = TRouting.Element == ExpertElement.Float8E4M3
                        ? Numbers.FromFloat8(rows[(row * hidden) + i]) * scales[(row * TRouting.ScaleCount) + (i / TRouting.ScaleBlock)]
                        : Numbers.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(rows)[(row * hidden) + i]);
                    output[(row * hidden) + i] = Numbers.ToBFloat16(value * factors[i]);
                }
            }
        }
    }
}
