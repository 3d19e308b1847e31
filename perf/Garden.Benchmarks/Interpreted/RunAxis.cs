namespace Garden.Benchmarks.Interpreted;

/// <summary>One loop over the runs of a transfer, outermost first.</summary>
/// <param name="Axis">One of <see cref="StridedLayout"/>'s logical axes.</param>
/// <param name="End">Where the loop ends; it begins at 0.</param>
/// <param name="Step">What one run covers of the axis.</param>
public sealed record RunAxis(int Axis, int End, int Step = 1);
