namespace Garden.Perf.Soak;

/// <summary>What all nodes of a soak agree on.</summary>
/// <param name="Fabric">tcp or shm.</param>
/// <param name="Nodes">Processes, 2 to 4.</param>
/// <param name="Time">How long rounds are begun.</param>
/// <param name="Seed">Of everything random.</param>
/// <param name="Directory">Where the nodes find each other.</param>
internal sealed record SoakPlan(string Fabric, int Nodes, TimeSpan Time, int Seed, string Directory)
{
    /// <summary>Pools fill and code is compiled in this time; growth is counted from here on.</summary>
    public TimeSpan WarmUp => TimeSpan.FromSeconds(Math.Min(20, Time.TotalSeconds / 3));

    public string PlaceOf(int node) => $"file:{Path.Combine(Directory, $"node-{node}")}";

    public Random RandomOf(int node, int stream) => new((((Seed * 31) + node) * 31) + stream);

    public TransferEngine BuildEngine()
    {
        // Several processes share the cores: workers park.
        TransferEngineBuilder builder = TransferEngine.CreateBuilder().Configure(static options =>
        {
            options.WaitStrategy = WaitStrategy.Economic;
            // A process that gets no core for a while is not dead.
            options.MissedHeartbeats = 15;
        });
        return (Fabric == "shm" ? builder.UseShm() : builder.UseTcp("127.0.0.1")).Build();
    }
}
