using Garden.Kernels.Native;
using Garden.Kernels.Tests.Kernels;

namespace Garden.Kernels.Tests.Device;

/// <summary>What only a CUDA device has: foreign memory and streams, peers, its own errors, its memory's balance.</summary>
public sealed class CudaDeviceTests
{
    [Fact]
    public void MemoryOfAnotherOwnerIsUsedWithinItsAllocation()
    {
        CudaDevice device = TestDevices.Cuda;
        using DeviceBuffer owner = device.Allocate(4096);
        owner.Write(new byte[4096]);
        using (DeviceBuffer wrapped = device.WrapMemory(owner.Address + 100, 200))
            wrapped.Write([1, 2, 3]);
        Assert.Equal([0, 1, 2, 3, 0], TestBytes.Download(owner)[99..104]);
        Assert.Contains("end outside their allocation", Assert.Throws<ArgumentException>(() => device.WrapMemory(owner.Address, 1L << 32)).Message, StringComparison.Ordinal);
        using MappedBuffer host = device.AllocateMapped(64);
        Assert.Contains("not an address of CUDA device memory", Assert.Throws<ArgumentException>(() => device.WrapMemory(host.DeviceAddress, 64)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => device.WrapMemory(4096, 64));
    }

    [Fact]
    public void StreamsAndEventsOfAnotherOwnerAreUsed()
    {
        CudaDevice device = TestDevices.Cuda;
        nint stream, recorded;
        using (device.Context.Enter())
        {
            LibCuda.Check(LibCuda.cuStreamCreate(out stream, LibCuda.CU_STREAM_NON_BLOCKING));
            LibCuda.Check(LibCuda.cuEventCreate(out recorded, LibCuda.CU_EVENT_DISABLE_TIMING));
        }

        using DeviceKernel<CountArgs> kernel = device.Load<CountArgs>(CountKernels.Increment);
        using DeviceBuffer count = device.Allocate(4);
        count.Write(new byte[4]);
        using (DeviceStream foreign = device.WrapStream(stream))
        using (DeviceEvent foreignEvent = device.WrapEvent(recorded))
        {
            kernel.Launch(foreign, new LaunchShape(1, 1), new CountArgs { Counter = (ulong)count.Address, Times = 5 });
            foreign.Record(foreignEvent);
            device.DefaultStream.Wait(foreignEvent);
            device.DefaultStream.Synchronize();
        }

        Assert.Equal(5, BitConverter.ToInt32(TestBytes.Download(count)));
        using (device.Context.Enter())
        {
            // Still its owner's: letting go of the wrappers has destroyed nothing.
            LibCuda.Check(LibCuda.cuStreamQuery(stream));
            LibCuda.Check(LibCuda.cuEventQuery(recorded));
            LibCuda.Check(LibCuda.cuStreamDestroy(stream));
            LibCuda.Check(LibCuda.cuEventDestroy(recorded));
        }
    }

    [Fact]
    public void AContextIsGivenBackWithTheLastThatUsesIt()
    {
        _ = TestDevices.Cuda;
        using var host = new NativeBuffer(4096);
        CudaDevice device = KernelDevice.OpenCuda();
        CudaContext context = device.Context;
        nint stream = ((CudaStream)device.DefaultStream).Value;
        device.WrapStream(stream).Dispose();
        MappedBuffer mapped = Map(device, host);
        device.Dispose();
        Assert.False(context.IsClosed, "A mapping is undone in its context, which is gone.");
        mapped.Dispose();
        Assert.True(context.IsClosed, "The context is never given back.");

        static unsafe MappedBuffer Map(CudaDevice device, NativeBuffer host) => device.MapHost((nint)host.Pointer, host.Length);
    }

    [Fact]
    public void HostMemoryThatAnotherOwnerHasPinnedIsMapped()
    {
        CudaDevice device = TestDevices.Cuda;
        using var host = new NativeBuffer(64 * 4096);
        nint foreign = Start(host) + (10 * 4096);
        using (device.Context.Enter())
            LibCuda.Check(LibCuda.cuMemHostRegister(foreign, 20 * 4096, LibCuda.CU_MEMHOSTREGISTER_PORTABLE));
        byte[] bytes = TestBytes.Random(new Random(6), (int)host.Length);
        bytes.CopyTo(host.Span(0, bytes.Length));
        using DeviceBuffer copy = device.Allocate(bytes.Length);
        using (MappedBuffer mapped = device.MapHost(Start(host), host.Length))
        {
            using var list = new DeviceWriteList(device);
            list.Add(mapped.DeviceAddress, copy.Address, bytes.Length);
            list.Execute(device.DefaultStream);
            device.DefaultStream.Synchronize();
        }

        TestBytes.Same(bytes, TestBytes.Download(copy), "memory two owners have pinned");
        using (device.Context.Enter())
        {
            // Still its owner's, and nothing else is left.
            LibCuda.Check(LibCuda.cuMemHostUnregister(foreign));
            LibCuda.Check(LibCuda.cuMemHostRegister(Start(host), (nuint)host.Length, 0));
            LibCuda.Check(LibCuda.cuMemHostUnregister(Start(host)));
        }

        static unsafe nint Start(NativeBuffer host) => (nint)host.Pointer;
    }

    [Fact]
    public void AnAttachedContextIsTheSameMemory()
    {
        CudaDevice device = TestDevices.Cuda;
        using CudaDevice attached = KernelDevice.AttachCuda(device.Context.DangerousGetHandle());
        Assert.Equal(device.Name, attached.Name);
        using DeviceBuffer buffer = TestBytes.Upload(device, [1, 2, 3]);
        using DeviceBuffer seen = attached.WrapMemory(buffer.Address, 3);
        Assert.Equal([1, 2, 3], TestBytes.Download(seen));
    }

    [Fact]
    public void TooMuchMemoryIsAnErrorWithNumbersAndTheProcessGoesOn()
    {
        CudaDevice device = TestDevices.Cuda;
        CudaException error = Assert.Throws<CudaException>(() => device.Allocate(device.Memory.TotalBytes + (1L << 30)));
        Assert.True(error.IsOutOfMemory);
        Assert.Equal("cuMemAlloc", error.Call);
        Assert.Contains("CUDA_ERROR_OUT_OF_MEMORY", error.Message, StringComparison.Ordinal);
        using DeviceBuffer buffer = TestBytes.Upload(device, [1]);
        Assert.Equal([1], TestBytes.Download(buffer));
    }

    [Fact]
    public void ACooperativeLaunchThatDoesNotFitIsRefused()
    {
        CudaDevice device = TestDevices.Cuda;
        using DeviceKernel<CountArgs> kernel = device.Load<CountArgs>(CountKernels.AddAll);
        using DeviceBuffer count = device.Allocate(4);
        count.Write(new byte[4]);
        var arguments = new CountArgs { Counter = (ulong)count.Address, Times = 1 };
        Assert.Throws<CudaException>(() => kernel.Launch(device.DefaultStream, new LaunchShape(1_000_000, 256) { Cooperative = true }, arguments));
        kernel.Launch(device.DefaultStream, new LaunchShape(2, 32) { Cooperative = true }, arguments);
        kernel.Launch(device.DefaultStream, new LaunchShape(2, 32) { OverlapsPrevious = true, SharedBytes = 100_000 }, arguments);
        Assert.Equal(256, BitConverter.ToInt32(TestBytes.Download(count)));
    }

    [Fact]
    public void LaunchesAllocateNothing()
    {
        CudaDevice device = TestDevices.Cuda;
        using DeviceKernel<CountArgs> kernel = device.Load<CountArgs>(CountKernels.Increment);
        using DeviceBuffer count = device.Allocate(4);
        var arguments = new CountArgs { Counter = (ulong)count.Address };
        Assert.Equal(0, Garden.Testing.Allocations.Least(() =>
        {
            for (int i = 0; i < 100; i++)
                kernel.Launch(device.DefaultStream, new LaunchShape(1, 1), in arguments);
        }));
        device.DefaultStream.Synchronize();
    }

    [Fact]
    public void APeersMemoryIsReachedByKernels()
    {
        (CudaDevice first, CudaDevice second) = TestDevices.CudaPair;
        using (second)
        {
            first.EnablePeer(second);
            first.EnablePeer(second);
            using DeviceKernel<CountArgs> kernel = first.Load<CountArgs>(CountKernels.AddAll);
            using DeviceBuffer count = second.Allocate(4);
            count.Write(new byte[4]);
            kernel.Launch(first.DefaultStream, new LaunchShape(1, 32), new CountArgs { Counter = (ulong)count.Address, Times = 1 });
            first.DefaultStream.Synchronize();
            Assert.Equal(64, BitConverter.ToInt32(TestBytes.Download(count)));
        }
    }

    [Fact]
    public void ADeviceReachesItself()
    {
        Assert.True(TestDevices.Cuda.CanReach(TestDevices.Cuda));
        TestDevices.Cuda.EnablePeer(TestDevices.Cuda);
    }

    [Fact]
    public void AThousandCyclesLeakNoDeviceMemory()
    {
        CudaDevice outer = TestDevices.Cuda;
        using DeviceKernel<CountArgs> keep = outer.Load<CountArgs>(CountKernels.Increment);
        Cycle();
        outer.Synchronize();
        long before = outer.Memory.FreeBytes;
        for (int i = 0; i < 1000; i++)
            Cycle();
        outer.Synchronize();
        Assert.InRange(before - outer.Memory.FreeBytes, long.MinValue, 4L << 20);

        static void Cycle()
        {
            using CudaDevice device = KernelDevice.OpenCuda();
            using DeviceStream stream = device.CreateStream();
            using DeviceEvent recorded = device.CreateEvent();
            using DeviceBuffer buffer = device.Allocate(1 << 20);
            using MappedBuffer mapped = device.AllocateMapped(4096);
            stream.BeginCapture();
            stream.Fill(buffer.Address, 1, buffer.Length);
            using DeviceGraph graph = stream.EndCapture();
            graph.Replay(stream);
            stream.Copy(buffer.Address, mapped.DeviceAddress, mapped.Length);
            stream.Record(recorded);
            recorded.Synchronize();
        }
    }
}
