namespace Garden.Kernels.Experts;

/// <summary>Where a rank's memory is for the device of another rank: the same process's pointers, or what mapping another process's memory gave.</summary>
/// <param name="Window">Dispatch region and counters.</param>
/// <param name="Combine">Combine region.</param>
public readonly record struct ExpertRankAddresses(nint Window, nint Combine);
