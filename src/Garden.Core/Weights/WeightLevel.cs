using System.Runtime.CompilerServices;

namespace Garden.Weights;

/// <summary>One loop of a <see cref="WeightPiece"/>.</summary>
/// <param name="Count">How often it turns, 1 or more.</param>
/// <param name="SourceStride">Bytes from one turn to the next at the source.</param>
/// <param name="DestinationStride">Bytes from one turn to the next at the destination.</param>
/// <param name="TensorStride">Tensor numbers from one turn to the next; 0 inside a tensor.</param>
public readonly record struct WeightLevel(long Count, long SourceStride, long DestinationStride, long TensorStride)
{
    /// <summary>True when this loop goes on where <paramref name="inner"/> ends, so that both are one.</summary>
    internal bool Continues(in WeightLevel inner) =>
        SourceStride == inner.Count * inner.SourceStride
        && DestinationStride == inner.Count * inner.DestinationStride
        && TensorStride == inner.Count * inner.TensorStride;

    /// <summary>The one loop that this one and the loop inside it are.</summary>
    internal WeightLevel Joined(in WeightLevel inner) => inner with { Count = Count * inner.Count };
}

/// <summary>The four loops of a piece, outermost first. Those that do not turn are outermost.</summary>
[InlineArray(Count)]
public struct WeightLevels
{
    /// <summary>Number of loops.</summary>
    public const int Count = 4;

    private WeightLevel _first;
}
