using System.Runtime.CompilerServices;

namespace Garden.Kernels.Weights;

/// <summary>Rows at regular places to rows at regular places.</summary>
public readonly struct WeightRowsMap : ICopyMap<WeightRowsArgs>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Rows(WeightRowsArgs arguments) => arguments.Rows;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Vectors(WeightRowsArgs arguments) => arguments.Vectors;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Source(WeightRowsArgs arguments, int row, uint vector, int bytes) =>
        arguments.Source + ((ulong)row * arguments.SourceStride) + (vector * (ulong)(uint)bytes);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Destination(WeightRowsArgs arguments, int row, uint vector, int bytes) =>
        arguments.Destination + ((ulong)row * arguments.DestinationStride) + (vector * (ulong)(uint)bytes);
}
