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
}

/// <summary>What carries rows between nodes.</summary>
internal enum FabricName
{
    Loopback,
    Tcp,
}
