namespace ExpertParallel;

/// <summary>Where the ranks are and what they exchange.</summary>
internal sealed record SampleOptions
{
    public int Ranks { get; init; }

    public int RanksPerNode { get; init; }

    public int Tokens { get; init; }

    public int Rounds { get; init; }

    public bool Zipf { get; init; }

    public bool Bf16 { get; init; }

    public FabricName Fabric { get; init; }

    public int? CudaDevice { get; init; }

    public int Seed { get; init; }

    public bool Corrupt { get; init; }

    public bool Json { get; init; }

    /// <summary>True for a process a rank.</summary>
    public bool Processes { get; init; }

    /// <summary>The rank to kill in the middle of a dispatch.</summary>
    public int? Kill { get; init; }

    /// <summary>The rank that this process is.</summary>
    public int? Rank { get; init; }
}

/// <summary>What carries rows between nodes.</summary>
internal enum FabricName
{
    Loopback,
    Tcp,
}
