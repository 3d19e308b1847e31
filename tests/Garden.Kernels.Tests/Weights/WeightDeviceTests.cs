using System.Collections.Concurrent;
using Garden.Kernels.Weights;
using Garden.Weights;

namespace Garden.Kernels.Tests.Weights;

/// <summary>Updates between ranks whose tensors are in a device's memory: gathered, converted, packed and hashed there, written over nvlink.</summary>
public abstract class WeightDeviceTests
{
    protected abstract KernelDevice Device { get; }

    [Fact]
    public async Task AnUpdateHasTheReferencesBytesOnEveryRank()
    {
        await using DeviceFleet fleet = await DeviceFleet.CreateAsync(Device, static _ => null);
        for (long step = 1; step <= 2; step++)
        {
            for (int rank = 0; rank < fleet.Trainers.Count; rank++)
            {
                using NativeBuffer tensors = fleet.TensorsOf(rank, step);
                fleet.Trainers[rank].Tensors.Write(tensors.Span(0, (int)tensors.Length));
            }

            WeightStepReport[] reports = await fleet.UpdateAsync(step);
            Assert.All(reports, static report => Assert.True(report.IsComplete, report.ToString()));
            for (int rank = 0; rank < fleet.Receivers.Count; rank++)
                Assert.True(fleet.Verify(rank, step) > 0);
        }
    }

    /// <summary>The trainer's tensors lie elsewhere: the load stage brings them, tensor by tensor.</summary>
    [Fact]
    public async Task TensorsAreLoadedFromWhereTheyAre()
    {
        var memory = new ConcurrentDictionary<int, NativeBuffer>();
        var sources = new List<DeviceWeightSource>();
        await using (DeviceFleet fleet = await DeviceFleet.CreateAsync(Device, rank =>
        {
            sources.Add(new DeviceWeightSource(Device, (_, holding) => AddressIn(memory[rank], holding.Offset)));
            return sources[^1];
        }))
        {
            for (int rank = 0; rank < fleet.Trainers.Count; rank++)
                memory[rank] = fleet.TensorsOf(rank, 1);
            WeightStepReport[] reports = await fleet.UpdateAsync(1);
            Assert.All(reports, static report => Assert.True(report.IsComplete, report.ToString()));
            Assert.All(reports, static report => Assert.NotEqual(TimeSpan.Zero, report.Times.Load));
            for (int rank = 0; rank < fleet.Receivers.Count; rank++)
                Assert.True(fleet.Verify(rank, 1) > 0);
        }

        sources.ForEach(static source => source.Dispose());
        foreach (NativeBuffer buffer in memory.Values)
            buffer.Dispose();
    }

    [Fact]
    public void RowsAreCopiedWhereverTheyLie()
    {
        // Outside of the property, which would take a skip for a failure.
        using var device = new WeightDevice(Device);
        using IWeightQueue queue = device.CreateQueue();
        Gen.Int.Sample(
            seed =>
            {
                var random = new Random(seed);
                int bytes = random.Next(3) == 0 ? 16 * random.Next(1, 9) : random.Next(1, 90), count = random.Next(1, 12);
                int from = random.Next(17), to = random.Next(17), sourceStride = bytes + (random.Next(2) * random.Next(40)), stride = bytes + (random.Next(2) * 16 * random.Next(3));
                byte[] source = TestBytes.Random(random, from + (count * sourceStride) + 32), target = TestBytes.Poisoned(to + (count * stride) + 32);
                using DeviceBuffer sourceMemory = TestBytes.Upload(Device, source), targetMemory = TestBytes.Upload(Device, target);
                queue.CopyRows(new WeightRows(sourceMemory.Address + from, targetMemory.Address + to, bytes, count, sourceStride, stride));
                queue.Wait();
                for (int row = 0; row < count; row++)
                    source.AsSpan(from + (row * sourceStride), bytes).CopyTo(target.AsSpan(to + (row * stride)));
                TestBytes.Same(target, TestBytes.Download(targetMemory), $"seed {seed}");
            },
            iter: 50,
            threads: 1);
    }

    private static unsafe nint AddressIn(NativeBuffer buffer, long offset) => (nint)buffer.Pointer + (nint)offset;
}

public sealed class CpuWeightDeviceTests : WeightDeviceTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaWeightDeviceTests : WeightDeviceTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
