namespace Garden.Kernels;

/// <summary>How many threads a launch has, and how it is launched. Kernels are right for any number of groups and threads; only a grid-wide wait needs <see cref="Cooperative"/>.</summary>
/// <param name="Groups">Groups in X.</param>
/// <param name="GroupThreads">Threads of a group.</param>
public readonly record struct LaunchShape(int Groups, int GroupThreads)
{
    /// <summary>Groups in Y.</summary>
    public int Rows { get; init; } = 1;

    /// <summary>Bytes of dynamic shared memory of a group.</summary>
    public int SharedBytes { get; init; }

    /// <summary>True when all groups must be resident at once.</summary>
    public bool Cooperative { get; init; }

    /// <summary>True when the kernel may begin before the one in front of it has ended, and waits for it by itself.</summary>
    public bool OverlapsPrevious { get; init; }
}
