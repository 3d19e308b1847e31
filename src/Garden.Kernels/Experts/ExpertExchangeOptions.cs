namespace Garden.Kernels.Experts;

/// <summary>How an exchange uses its engine.</summary>
public sealed record ExpertExchangeOptions
{
    /// <summary>The first of 4 × ranks immediate numbers that belong to this exchange, the same on all ranks. Two exchanges of one engine have ranges of their own.</summary>
    public uint FirstNumber { get; init; } = 1 << 20;

    /// <summary>The engine's device whose NICs carry the rows.</summary>
    public int EngineDevice { get; init; }

    /// <summary>How long a write may take.</summary>
    public TimeSpan WriteDeadline { get; init; } = TimeSpan.FromSeconds(10);

    internal void Validate(int ranks)
    {
        if (FirstNumber == 0 || FirstNumber > int.MaxValue - (4L * ranks))
            throw new ArgumentOutOfRangeException(nameof(FirstNumber), FirstNumber, $"The {4 * ranks} numbers of an exchange lie in [1, {int.MaxValue}].");
    }
}
