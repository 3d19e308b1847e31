namespace Garden.Kernels.Experts;

/// <summary>How a rank's kernels run.</summary>
public sealed record ExpertRankOptions
{
    /// <summary>How received rows lie for the experts.</summary>
    public ExpertOutput Output { get; init; } = ExpertOutput.ExpertContiguous;

    /// <summary>How long a kernel waits for another rank before it goes on without it.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often a kernel looks for another rank on the CPU accelerator, which has no clock.</summary>
    public int Looks { get; init; } = 1;

    /// <summary>The most groups of a kernel, so that other work finds multiprocessors; 0 for as many as are useful.</summary>
    public int MaxGroups { get; init; }

    /// <summary>Threads of a group, whole warps; 0 for the device's default.</summary>
    public int GroupThreads { get; init; }

    /// <summary>True for the kernels of many tokens, however few the group has.</summary>
    internal bool AlwaysMany { get; init; }

    internal void Validate(KernelDevice device)
    {
        if (Deadline <= TimeSpan.Zero || Deadline > TimeSpan.FromHours(1))
            throw new ArgumentOutOfRangeException(nameof(Deadline), Deadline, "A kernel's deadline is more than zero and at most one hour.");
        ArgumentOutOfRangeException.ThrowIfNegative(Looks);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxGroups);
        if (GroupThreads < 0 || GroupThreads > device.MaxThreadsPerGroup || GroupThreads % device.WarpSize != 0)
            throw new ArgumentOutOfRangeException(nameof(GroupThreads), GroupThreads, $"A group on {device.Name} is whole warps of {device.WarpSize} threads, up to {device.MaxThreadsPerGroup}.");
    }
}
