using Garden.Fabric.Loopback;
using Garden.Generators.Integration.Weights.Model;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights;

/// <summary>Routes through the engine: the receiver waits for the units it works out by itself, and then has every byte.</summary>
public sealed class WeightEngineTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task A_rank_has_its_tensors_when_its_counter_says_so(int rank)
    {
        WeightMeshes<SmallMoe> meshes = WeightMeshes<SmallMoe>.Create(new(3, 2), new(2, 2));
        var naive = new NaiveMap(typeof(SmallMoe), Enumerable.Range(0, SmallMoe.TensorCount).Select(WeightTensors<SmallMoe>.NameOf), [3, 2], [2, 2]);
        short[] expected = NaiveMemory.OfInference(naive, rank);
        var network = new LoopbackNetwork();
        await using TransferEngine receiver = Build(network, "inference");
        using var received = new NativeBuffer(meshes.InferenceBytes);
        MemoryRegion destination = receiver.Register(received);
        using ImmCounter counter = receiver.AllocateCounter();
        ValueTask<long> arrived = counter.WaitAsync(meshes.ExpectedUnits(rank), s_limit, cancellationToken: TestContext.Current.CancellationToken);
        for (int source = 0; source < meshes.Trainer.Ranks; source++)
        {
            await using TransferEngine sender = Build(network, $"trainer{source}");
            using var tensors = new NativeBuffer(meshes.TrainerBytes);
            NaiveMemory.OfTrainer(naive, source).Select(value => (byte)value).ToArray().CopyTo(tensors.Span(0, (int)tensors.Length));
            using WeightRoute route = meshes.Route(source, rank);
            using var staging = new NativeBuffer(Math.Max(1, route.StagingBytes));
            foreach (WeightAssembly assembly in route.Assemblies)
                assembly.Pack(tensors.Span(0, (int)tensors.Length), staging.Span(0, (int)staging.Length));
            Peer peer = await sender.ConnectAsync(receiver.Address, s_limit);
            var plan = new WeightWrites
            {
                Source = sender.Register(tensors).Handle,
                Staging = sender.Register(staging).Handle,
                Destination = peer.Import(destination.Export()).Handle,
                Immediate = counter.Immediate,
                Route = route.Handle,
                Count = route.Handle.Count,
            };
            await sender.Submit(in plan).AsValueTask().AsTask().WaitAsync(s_limit, TestContext.Current.CancellationToken);
        }

        await arrived;
        Assert.Equal(meshes.ExpectedUnits(rank), counter.Value);
        byte[] memory = received.Span(0, (int)received.Length).ToArray();
        Assert.All(expected.Index(), held => Assert.True(held.Item < 0 || held.Item == memory[held.Index]));
    }

    private static TransferEngine Build(LoopbackNetwork network, string name) => TransferEngine.CreateBuilder()
        .UseLoopback(network, name)
        .Configure(static options => options.WaitStrategy = WaitStrategy.Economic)
        .Build();
}
