using Garden.Perf.Weights.Update;
using Garden.Weights;

namespace Garden.Perf.Budgets;

/// <summary>What an update does for every write and every block: expansion of a route, enumeration of the runs, conversion.</summary>
internal sealed class WeightOperations : IDisposable
{
    private static readonly WeightMeshes<UpdateMap> s_meshes = UpdatePlan.Meshes;
    private readonly WeightRoute _route = s_meshes.Route(0, 1);
    private readonly ushort[] _block = new ushort[Float8Blocks.Size * Float8Blocks.Size];
    private readonly byte[] _converted = new byte[Float8Blocks.Size * Float8Blocks.Size];
    private readonly float[] _scales = new float[1];

    public IEnumerable<MeasuredOperation> All =>
    [
        new("expand.weight-route", Expand),
        new("weights.runs", Enumerate),
        new("weights.convert-block", Convert),
    ];

    public void Dispose() => _route.Dispose();

    private void Expand(int count) => KvOperations.Expand(new WeightWrites { Immediate = Immediate.ForCounter(1, 1), Route = _route.Handle, Count = _route.Handle.Count }, count);

    private void Enumerate(int count)
    {
        for (int i = 0; i < count; i++)
        {
            foreach (WeightRun run in s_meshes.Sends(i % UpdatePlan.Trainers))
            {
                // The first one will do: the enumerator is what is measured.
                _scales[0] = run.Length;
                break;
            }
        }
    }

    private void Convert(int count)
    {
        // A block has 16384 elements: a hundredth of the conversions shows an allocation as well.
        for (int i = 0; i < count; i += 100)
            Float8Blocks.ConvertRow(_block, Float8Blocks.Size, Float8Blocks.Size, _converted, _scales);
    }
}
