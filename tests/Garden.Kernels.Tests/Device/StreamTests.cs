using Garden.Kernels.Tests.Kernels;

namespace Garden.Kernels.Tests.Device;

/// <summary>Buffers, streams, events and graphs behave alike on every device.</summary>
public abstract class StreamTests
{
    private const int Length = 1000;

    protected abstract KernelDevice Device { get; }

    [Fact]
    public void BytesGoToTheDeviceAndBack()
    {
        byte[] bytes = TestBytes.Random(new Random(1), Length);
        using DeviceBuffer buffer = Device.Allocate(Length);
        buffer.Write(bytes);
        var part = new byte[10];
        buffer.Read(part, 17);
        Assert.Equal(bytes[17..27], part);
        buffer.Write(part, Length - 10);
        part.CopyTo(bytes, Length - 10);
        Assert.Equal(bytes, TestBytes.Download(buffer));
    }

    [Fact]
    public void RangesOutsideABufferAreRefused()
    {
        using DeviceBuffer buffer = Device.Allocate(Length);
        Assert.Contains("[991, 991 + 10)", Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Write(new byte[10], 991)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Read(new byte[1], -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Device.Allocate(0));
        Assert.Contains("whole elements of 3", Assert.Throws<ArgumentException>(() => Device.Allocate(10, 3)).Message, StringComparison.Ordinal);
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.Address);
        buffer.Dispose();
    }

    [Fact]
    public void AStreamRunsInOrder()
    {
        using DeviceStream stream = Device.CreateStream();
        using DeviceBuffer a = Device.Allocate(Length), b = Device.Allocate(Length);
        stream.Fill(a.Address, 1, Length);
        stream.Copy(b.Address, a.Address, Length);
        stream.Fill(a.Address, 2, Length);
        stream.Copy(a.Address + 1, b.Address, 1);
        stream.Synchronize();
        Assert.True(stream.IsIdle);
        Assert.All(TestBytes.Download(b), static value => Assert.Equal(1, value));
        Assert.Equal([2, 1, 2], TestBytes.Download(a)[..3]);
    }

    [Fact]
    public void AnEventOrdersTwoStreams()
    {
        using DeviceStream first = Device.CreateStream(), second = Device.CreateStream();
        using DeviceEvent done = Device.CreateEvent(), start = Device.CreateEvent(timing: true), end = Device.CreateEvent(timing: true);
        using DeviceBuffer a = Device.Allocate(1 << 20), b = Device.Allocate(1 << 20);
        Assert.True(done.HasHappened);
        first.Record(start);
        for (byte i = 0; i < 10; i++)
            first.Fill(a.Address, i, a.Length);
        first.Record(done);
        second.Wait(done);
        second.Copy(b.Address, a.Address, a.Length);
        second.Record(end);
        end.Synchronize();
        Assert.True(done.HasHappened);
        Assert.All(TestBytes.Download(b)[..100], static value => Assert.Equal(9, value));
        Assert.True(end.Since(start) >= TimeSpan.Zero);
        Assert.Throws<InvalidOperationException>(() => end.Since(done));
    }

    [Fact]
    public void ACaptureRunsWhenItIsReplayedOnly()
    {
        using DeviceKernel<CountArgs> kernel = Device.Load<CountArgs>(CountKernels.Increment);
        using DeviceStream stream = Device.CreateStream();
        using DeviceBuffer count = Device.Allocate(8, 4), copy = Device.Allocate(4);
        count.Write(new byte[8]);
        copy.Write(new byte[4]);
        stream.BeginCapture();
        Assert.Throws<InvalidOperationException>(stream.BeginCapture);
        kernel.Launch(stream, new LaunchShape(1, 1), new CountArgs { Counter = (ulong)count.Address, Times = 3 });
        stream.Copy(copy.Address, count.Address, 4);
        using DeviceGraph graph = stream.EndCapture();
        Assert.Throws<InvalidOperationException>(() => stream.EndCapture());
        stream.Synchronize();
        Assert.Equal(0, BitConverter.ToInt32(TestBytes.Download(copy)));
        graph.Replay(stream);
        graph.Replay(stream);
        stream.Synchronize();
        Assert.Equal(6, BitConverter.ToInt32(TestBytes.Download(copy)));
    }

    [Fact]
    public void ForeignAcceleratorsStreamsAndShapesAreRefused()
    {
        using CpuDevice other = KernelDevice.OpenCpu();
        using DeviceKernel<CountArgs> kernel = Device.Load<CountArgs>(CountKernels.Increment);
        using DeviceBuffer count = Device.Allocate(4);
        var arguments = new CountArgs { Counter = (ulong)count.Address };
        Assert.Throws<ArgumentException>(() => kernel.Launch(other.DefaultStream, new LaunchShape(1, 1), arguments));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Launch(Device.DefaultStream, new LaunchShape(0, 1), arguments));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Launch(Device.DefaultStream, new LaunchShape(1, Device.MaxThreadsPerGroup + 1), arguments));
        Assert.Equal("CountKernels.Increment", kernel.Name);
    }

    [Fact]
    public unsafe void MappedMemoryIsOneMemory()
    {
        using MappedBuffer mapped = Device.AllocateMapped(4096);
        using DeviceBuffer buffer = Device.Allocate(16);
        Assert.Equal(0, mapped.Pointer[100]);
        mapped.Pointer[100] = 42;
        Device.DefaultStream.Copy(buffer.Address, mapped.DeviceAddress + 96, 16);
        Device.DefaultStream.Synchronize();
        Assert.Equal(42, TestBytes.Download(buffer)[4]);
        Device.DefaultStream.Fill(mapped.DeviceAddress, 7, 4);
        Device.DefaultStream.Synchronize();
        Assert.Equal([7, 7, 7, 7, 0], new Span<byte>(mapped.Pointer, 5).ToArray());
    }

    [Fact]
    public unsafe void HostMemoryIsMappedWhereItIs()
    {
        using var host = new NativeBuffer(3 * 4096);
        // Two mappings with a page in common: the first to go must not unpin it for the other.
        MappedBuffer first = Device.MapHost((nint)host.Pointer + 8, 4096);
        using MappedBuffer second = Device.MapHost((nint)host.Pointer + 4096 + 64, 4096);
        first.Dispose();
        using DeviceBuffer source = TestBytes.Upload(Device, [1, 2, 3, 4]);
        Device.DefaultStream.Copy(second.DeviceAddress + 4, source.Address, 4);
        Device.DefaultStream.Synchronize();
        Assert.Equal([1, 2, 3, 4], host.Span(4096 + 68, 4).ToArray());
    }
}

public sealed class CpuStreamTests : StreamTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaStreamTests : StreamTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
