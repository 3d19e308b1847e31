namespace Garden.Weights;

/// <summary>
/// The unit of a sender's pipeline: what is assembled or converted once and then written to every receiver of it. It may be
/// forgotten when its sends have completed.
/// </summary>
/// <param name="Part">The row of the map; a converted row brings its scales along.</param>
/// <param name="FirstOuter">The first combination of the variables other than the expert (the layer, in most models).</param>
/// <param name="OuterCount">How many of them: 1, or all of them for small tensors.</param>
/// <param name="FirstExpert">The first expert.</param>
/// <param name="ExpertCount">Number of experts.</param>
/// <param name="Rows">The rows of each tensor; of a converted one whole block rows.</param>
/// <param name="Columns">The columns of each tensor.</param>
/// <param name="IsConverted">True when the elements are converted on the way: see <see cref="WeightSenderPlan.Gathers"/>.</param>
/// <param name="StagingBytes">Staging memory of <see cref="WeightSenderPlan.AssembliesOf"/>, a multiple of 256; 0 when all is sent from where it lies.</param>
/// <param name="Bytes">Bytes written to all receivers.</param>
public readonly record struct WeightTask(
    int Part, int FirstOuter, int OuterCount, int FirstExpert, int ExpertCount, WeightRange Rows, WeightRange Columns,
    bool IsConverted, long StagingBytes, long Bytes)
{
    internal int FirstSend { get; init; }

    internal int SendCount { get; init; }

    internal int FirstAssembly { get; init; }

    internal int AssemblyCount { get; init; }

    internal int Cell { get; init; }
}
