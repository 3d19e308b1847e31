using System.Runtime.CompilerServices;

namespace Garden.Experts;

/// <summary>
/// A choice as a row carries it, 32 bits: the receiver's expert, and how many rows of the same source, ahead of this one, chose that
/// expert. So every row knows its place inside its expert, and a receiver sums counts only. Kernels use it too.
/// </summary>
public static class ExpertSelection
{
    /// <summary>Experts of one rank, at most.</summary>
    public const int MaxExperts = 1 << ExpertBits;

    /// <summary>Tokens of one rank and round, at most.</summary>
    public const int MaxTokens = 1 << (31 - ExpertBits);

    /// <summary>The choice is not on the receiving rank, or is masked.</summary>
    public const int None = -1;

    private const int ExpertBits = 12;

    /// <summary>A choice.</summary>
    /// <param name="expert">The expert, counted from the receiver's first.</param>
    /// <param name="ordinal">Rows ahead that chose it too.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Pack(int expert, int ordinal) => expert | (ordinal << ExpertBits);

    /// <summary>The expert, counted from the receiver's first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Expert(int selection) => selection & (MaxExperts - 1);

    /// <summary>Rows ahead that chose it too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Ordinal(int selection) => selection >> ExpertBits;
}
