namespace WeightSync;

/// <summary>What the command line asked for.</summary>
internal sealed record SampleOptions
{
    public ModelName Model { get; init; }

    public FabricName Fabric { get; init; }

    public int Trainers { get; init; } = 2;

    public int Inference { get; init; } = 2;

    public int Steps { get; init; } = 3;

    /// <summary>Directory of the checkpoint; a temporary one where the sample writes its own.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Inference rank whose process is killed in the middle of the last step.</summary>
    public int? Kill { get; init; }

    public bool Verify { get; init; } = true;

    public int Seed { get; init; } = 1;

    public long WatermarkMiB { get; init; } = 256;

    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Which rank this process is; none for the one that starts the others.</summary>
    public Role Role { get; init; }

    public int Rank { get; init; }

    /// <summary>Directory in which ranks publish their addresses.</summary>
    public string? Place { get; init; }

    /// <summary>Refuses what does not go together.</summary>
    public void Validate()
    {
        if (Model == ModelName.Llama8B && Checkpoint is null)
            throw new UsageException("--model Llama8B needs --checkpoint with the model's files; the sample only writes TinyMoe itself.");
        if (Kill is { } rank && (Fabric == FabricName.Loopback || rank < 0 || rank >= Inference || Steps < 2))
            throw new UsageException($"--kill takes an inference rank, 0 to {Inference - 1}, of several processes (--fabric tcp) and two steps or more.");
        if (Role != Role.All && (Place is null || Checkpoint is null))
            throw new UsageException("--role trainer and inference need --place and --checkpoint: a directory for addresses, and the model.");
    }
}

/// <summary>The models whose maps the sample has.</summary>
internal enum ModelName
{
    /// <summary>86 MB, written by the sample.</summary>
    TinyMoe,

    /// <summary>16 GB, from <c>--checkpoint</c>.</summary>
    Llama8B,
}

/// <summary>What the ranks are connected by.</summary>
internal enum FabricName
{
    /// <summary>All ranks in this process, nothing to install.</summary>
    Loopback,

    /// <summary>A process a rank, over libfabric's tcp.</summary>
    Tcp,
}

/// <summary>Which part of the job this process is.</summary>
internal enum Role
{
    /// <summary>All of it: on loopback in this process, else it starts one for each rank.</summary>
    All,

    /// <summary>One trainer rank.</summary>
    Trainer,

    /// <summary>One inference rank.</summary>
    Inference,
}
