namespace Garden.Weights;

/// <summary>
/// What one trainer rank sends in every update: tasks in order, the sends of each, and the pieces of the sends in native memory for
/// <see cref="WeightWrites"/>. Disposing gives up the owner's reference; running transfers keep theirs.
/// </summary>
/// <remarks>
/// For a task: <see cref="Gathers"/> what a conversion lacks, assemble its <see cref="AssembliesOf"/> in staging memory, then
/// submit for each of its <see cref="SendsOf"/> a <see cref="WeightWrites"/> with the plan's <see cref="Handle"/>, the send's
/// pieces and, as staging offset, where the task's staging memory begins. The staging memory is free again when these complete.
/// </remarks>
public sealed class WeightSenderPlan : IDisposable
{
    private readonly WeightTask[] _tasks;
    private readonly WeightSend[] _sends;
    private readonly WeightAssembly[] _assemblies;
    private readonly Func<WeightTask, WeightPiece[]> _gathers;
    private readonly WeightRoute _route;

    internal WeightSenderPlan(
        int rank, WeightTask[] tasks, WeightSend[] sends, WeightAssembly[] assemblies, ReadOnlySpan<WeightPiece> pieces, WeightTotals totals,
        Func<WeightTask, WeightPiece[]> gathers)
    {
        Rank = rank;
        (_tasks, _sends, _assemblies, _gathers) = (tasks, sends, assemblies, gathers);
        long staging = 0;
        foreach (ref readonly WeightTask task in tasks.AsSpan())
            staging = Math.Max(staging, task.StagingBytes);
        _route = new WeightRoute(pieces, assemblies, totals, staging);
    }

    /// <summary>The trainer rank.</summary>
    public int Rank { get; }

    /// <summary>The tasks, in the order in which they should be sent.</summary>
    public ReadOnlySpan<WeightTask> Tasks => _tasks;

    /// <summary>The sums over all tasks.</summary>
    public WeightTotals Totals => _route.Totals;

    /// <summary>The most staging memory that a task needs.</summary>
    public long LargestStagingBytes => _route.StagingBytes;

    /// <summary>The pieces of all sends, for plans.</summary>
    /// <exception cref="ObjectDisposedException">The plan was disposed.</exception>
    public WeightRouteHandle Handle => _route.Handle;

    /// <summary>What a task writes, receiver by receiver, in the order in which they should be written.</summary>
    public ReadOnlySpan<WeightSend> SendsOf(in WeightTask task) => _sends.AsSpan(task.FirstSend, task.SendCount);

    /// <summary>What is assembled before a task is written; offsets count from the task's staging memory. Copies of one receiver share it.</summary>
    public ReadOnlySpan<WeightAssembly> AssembliesOf(in WeightTask task) => _assemblies.AsSpan(task.FirstAssembly, task.AssemblyCount);

    /// <summary>
    /// Where the elements of a converted task lie before the conversion: runs from the tensors of trainer ranks, this one's own
    /// among them, to a gather buffer in which the task's tensors follow one another, each a row-major matrix of the task's rows and
    /// columns at a multiple of 256 bytes. Empty for other tasks. Allocates.
    /// </summary>
    public WeightPiece[] Gathers(in WeightTask task) => _gathers(task);

    /// <inheritdoc/>
    public void Dispose() => _route.Dispose();
}
