namespace Garden.Kernels.Experts;

/// <summary>Whether a kernel is for rounds of few tokens, where steps that wait for one another are all that costs, or for many, where bytes are.</summary>
public interface IExpertSize
{
    /// <summary>True for few.</summary>
    static abstract bool IsFew { get; }
}

/// <summary>Few tokens: what a group may need is loaded before it is known whether it is there.</summary>
public readonly struct FewTokens : IExpertSize
{
    /// <inheritdoc/>
    public static bool IsFew => true;
}

/// <summary>Any number of tokens.</summary>
public readonly struct ManyTokens : IExpertSize
{
    /// <inheritdoc/>
    public static bool IsFew => false;
}
