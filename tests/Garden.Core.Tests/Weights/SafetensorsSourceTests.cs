using System.Runtime.InteropServices;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>A checkpoint's files as the source of an update: every rank reads its own part of every tensor.</summary>
public sealed class SafetensorsSourceTests : IDisposable
{
    private const long CheckpointStep = 42;
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(2, 2)]
    public async Task Inference_ranks_get_what_the_checkpoint_has(int dp, int tp)
    {
        WriteCheckpoint(static tensor => FleetWeights.Tensor(tensor, CheckpointStep));
        using var checkpoint = SafetensorsCheckpoint.Open(_directory.Path);
        var source = new SafetensorsSource<FleetMap>(checkpoint);
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(dp, tp), new(1, 2)) { Verify = true, Source = _ => source });
        // The memory holds other values before.
        await fleet.UpdateAsync(7);
        foreach (FleetReceiver receiver in fleet.Receivers)
        {
            WeightVersion version = receiver.Receiver.Swap();
            Assert.True(FleetWeights.Verify(fleet.Meshes, receiver.Receiver.Rank, CheckpointStep, receiver.Memory[version.Buffer]) > 0);
        }
    }

    [Fact]
    public void Tensors_that_the_map_does_not_have_like_this_are_refused()
    {
        WriteCheckpoint(static tensor => FleetWeights.Tensor(tensor, CheckpointStep), static (name, shape) => name == "head" ? [shape[1], shape[0]] : shape);
        Refused("another shape");
        WriteCheckpoint(static tensor => FleetWeights.Tensor(tensor, CheckpointStep), element: static name => name == "head" ? SafetensorsElement.Float16 : SafetensorsElement.BFloat16);
        Refused("BF16, which it converts");
        // Of the same size, so that only the type tells.
        WriteCheckpoint(static tensor => FleetWeights.Tensor(tensor, CheckpointStep), element: static name => name == "layers.0.norm" ? SafetensorsElement.Float16 : SafetensorsElement.BFloat16);
        Refused("elements of F16; the map says BF16");
        WriteCheckpoint(static tensor => FleetWeights.Tensor(tensor, CheckpointStep), rename: static name => name == "head" ? "tail" : name);
        Refused("there is no tensor \"head\"");

        void Refused(string reason)
        {
            using var checkpoint = SafetensorsCheckpoint.Open(_directory.Path);
            Assert.Contains(reason, Assert.Throws<SafetensorsException>(() => new SafetensorsSource<FleetMap>(checkpoint)).Message, StringComparison.Ordinal);
        }
    }

    private void WriteCheckpoint(
        Func<int, ushort[]> values, Func<string, long[], long[]>? shape = null, Func<string, SafetensorsElement>? element = null, Func<string, string>? rename = null)
    {
        string[] names = [.. Enumerable.Range(0, FleetMap.TensorCount).Select(WeightTensors<FleetMap>.NameOf)];
        using var writer = new SafetensorsWriter(
            _directory.File(SafetensorsCheckpoint.SingleFileName),
            [.. names.Select(name => (rename?.Invoke(name) ?? name, element?.Invoke(name) ?? SafetensorsElement.BFloat16, (IReadOnlyList<long>)(shape?.Invoke(name, ShapeOf(name)) ?? ShapeOf(name))))]);
        for (int tensor = 0; tensor < names.Length; tensor++)
            writer.Write(MemoryMarshal.AsBytes(values(tensor).AsSpan()));
        writer.Complete();
    }

    private static long[] ShapeOf(string name)
    {
        (int rows, int columns, _) = FleetWeights.ShapeOf(name);
        return columns == 1 ? [rows] : [rows, columns];
    }
}
