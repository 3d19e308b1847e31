using Garden.Samples;
using Garden.Weights;

namespace Garden.Perf.Weights.Update;

/// <summary>Two trainer and two inference processes: nodes 0 and 1, 2 and 3.</summary>
/// <param name="Directory">Where nodes publish their addresses.</param>
internal sealed record UpdatePlan(string Directory)
{
    public const int Trainers = 2;
    public const int Receivers = 2;

    /// <summary>Bytes under way on each pair of the raw loop: what a tcp domain of the engine hands to one peer.</summary>
    public const long RawBytesUnderWay = 32 << 20;

    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    public static WeightMeshes<UpdateMap> Meshes { get; } = WeightMeshes<UpdateMap>.Create(new WeightMesh(Trainers), new WeightMesh(Receivers));

    public static long Bytes => Trainers * Meshes.TrainerBytes;

    public Task<IAsyncDisposable> PublishAsync(string name, string line) => Rendezvous.PublishAsync(PlaceOf(name), line);

    public Task<string> FindAsync(string name) => Rendezvous.FindAsync(PlaceOf(name), Deadline);

    private string PlaceOf(string name) => $"file:{Path.Combine(Directory, name)}";
}
