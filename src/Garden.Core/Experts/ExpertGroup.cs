using System.Runtime.InteropServices;

namespace Garden.Experts;

/// <summary>What a routing leaves to the run time: the ranks that exchange tokens and the sizes they agree on. Blittable, 16 bytes, part of kernel arguments.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct ExpertGroup : IEquatable<ExpertGroup>
{
    private ExpertGroup(int ranks, int ranksPerNode, int tokens, int padding)
    {
        Ranks = ranks;
        RanksPerNode = ranksPerNode;
        Tokens = tokens;
        Padding = padding;
    }

    /// <summary>Ranks that share the experts.</summary>
    public int Ranks { get; }

    /// <summary>Ranks of one node; the last node may have fewer.</summary>
    public int RanksPerNode { get; }

    /// <summary>Tokens one rank sends in one round, at most: the rows of one wire slot.</summary>
    public int Tokens { get; }

    /// <summary>Multiple to which the rows of each expert are filled up.</summary>
    public int Padding { get; }

    /// <summary>The first rank of the node of <paramref name="rank"/>.</summary>
    public int FirstOfNode(int rank) => rank / RanksPerNode * RanksPerNode;

    /// <summary>Ranks of the node of <paramref name="rank"/>.</summary>
    public int RanksOfNode(int rank) => int.Min(RanksPerNode, Ranks - FirstOfNode(rank));

    /// <summary>The group a routing declares.</summary>
    /// <exception cref="PlanException">The routing leaves ranks or ranks per node to the run time.</exception>
    public static ExpertGroup Of<TRouting>()
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        Of<TRouting>(TRouting.Ranks, TRouting.RanksPerNode, TRouting.MaxTokens, TRouting.ExpertPadding);

    /// <summary>A group of the given sizes.</summary>
    /// <param name="ranks">Ranks that share the experts.</param>
    /// <param name="ranksPerNode">Ranks of one node.</param>
    /// <param name="tokens">Tokens one rank sends in one round, at most.</param>
    /// <param name="padding">Multiple to which the rows of each expert are filled up.</param>
    /// <exception cref="PlanException">
    /// A size is not positive; the ranks do not divide the experts and the routing does not pad them; the slot of one pair of ranks
    /// is more than one write can carry; rows or bytes do not fit their numbers.
    /// </exception>
    public static ExpertGroup Of<TRouting>(int ranks, int ranksPerNode, int tokens, int padding)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        ExpertValidation.Require<TRouting>(ranks, ranksPerNode, tokens, padding);
        return new ExpertGroup(ranks, ranksPerNode, tokens, padding);
    }

    /// <inheritdoc/>
    public bool Equals(ExpertGroup other) =>
        Ranks == other.Ranks && RanksPerNode == other.RanksPerNode && Tokens == other.Tokens && Padding == other.Padding;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ExpertGroup other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Ranks, RanksPerNode, Tokens, Padding);

    /// <summary>Equality by value.</summary>
    public static bool operator ==(ExpertGroup left, ExpertGroup right) => left.Equals(right);

    /// <summary>Inequality by value.</summary>
    public static bool operator !=(ExpertGroup left, ExpertGroup right) => !left.Equals(right);

    /// <inheritdoc/>
    public override string ToString() => $"{Ranks} ranks, {RanksPerNode} a node, {Tokens} tokens a rank, padding {Padding}";
}
