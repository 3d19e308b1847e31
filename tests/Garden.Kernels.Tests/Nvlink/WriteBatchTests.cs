using Garden.Kernels.Nvlink;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>Batches with the flag that their kernel stores by itself: every byte is there when it is, and the next batch's kernel finds its tickets as they were.</summary>
public abstract class WriteBatchTests
{
    protected abstract KernelDevice Device { get; }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(1, 200_000)]
    [InlineData(3, 131_072)]
    [InlineData(40, 777)]
    [InlineData(9, 73_728)]
    public unsafe void TheFlagFollowsEveryWrite(int count, int length)
    {
        KernelDevice device = Device;
        using DeviceKernel<ExecuteWritesArgs> kernel = device.Load<ExecuteWritesArgs>(ExecuteWrites.Run);
        using var batch = new WriteBatch(device);
        using DeviceBuffer tickets = device.Allocate(WriteBatch.TicketWords * sizeof(uint));
        using MappedBuffer flag = device.AllocateMapped(sizeof(ulong));
        tickets.Write(new byte[tickets.Length]);
        int stride = length + 5;
        byte[] bytes = TestBytes.Random(new Random(length), (count * stride) + 16);
        using DeviceBuffer source = TestBytes.Upload(device, bytes);
        foreach (ulong number in new ulong[] { 1, 2, 3 })
        {
            byte[] expected = TestBytes.Poisoned(bytes.Length);
            using DeviceBuffer destination = TestBytes.Upload(device, expected);
            batch.Begin(new WriteRun());
            for (int i = 0; i < count; i++)
            {
                Assert.True(batch.Fits(length));
                batch.Add(source.Address + (i * stride) + (nint)number, destination.Address + (i * stride) + 3, length);
                bytes.AsSpan((i * stride) + (int)number, length).CopyTo(expected.AsSpan((i * stride) + 3));
            }

            batch.Post(device.DefaultStream, kernel, tickets.Address, flag.DeviceAddress, number);
            batch.Clear();
            device.DefaultStream.Synchronize();
            Assert.Equal(number, *(ulong*)flag.Pointer);
            TestBytes.Same(expected, TestBytes.Download(destination), $"batch {number} of {count} writes of {length} bytes");
            Assert.All(TestBytes.Download(tickets), static one => Assert.Equal(0, one));
        }
    }

    [Fact]
    public void ADroppedRunCopiesNothingAndItsNeighboursDo()
    {
        KernelDevice device = Device;
        using DeviceKernel<ExecuteWritesArgs> kernel = device.Load<ExecuteWritesArgs>(ExecuteWrites.Run);
        using var batch = new WriteBatch(device);
        using MappedBuffer flag = device.AllocateMapped(sizeof(ulong));
        byte[] bytes = TestBytes.Random(new Random(1), 3000);
        using DeviceBuffer source = TestBytes.Upload(device, bytes), destination = TestBytes.Upload(device, TestBytes.Poisoned(3000));
        for (int run = 0; run < 3; run++)
        {
            Assert.Equal(run, batch.Begin(new WriteRun()));
            for (int i = 0; i < 5; i++)
                batch.Add(source.Address + (1000 * run) + (100 * i), destination.Address + (1000 * run) + (100 * i), 100);
            batch.AddCopy(source.Address + (1000 * run) + 500, destination.Address + (1000 * run) + 500, 500);
        }

        batch.Drop(1);
        batch.Post(device.DefaultStream, kernel, 0, flag.DeviceAddress, 1);
        device.DefaultStream.Synchronize();
        bytes.AsSpan(1000, 1000).Fill(TestBytes.Poison);
        TestBytes.Same(bytes, TestBytes.Download(destination), "a dropped run");
    }
}

public sealed class CpuWriteBatchTests : WriteBatchTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaWriteBatchTests : WriteBatchTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
