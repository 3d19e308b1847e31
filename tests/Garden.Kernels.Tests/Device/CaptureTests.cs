using Garden.Kernels.Native;
using Garden.Kernels.Tests.Kernels;

namespace Garden.Kernels.Tests.Device;

/// <summary>A server that captures a graph in CUDA's default, global mode while Garden works on other threads.</summary>
public sealed class CaptureTests
{
    [Fact]
    public void AGlobalCaptureAndOtherThreadsDoNotBreakEachOther()
    {
        CudaDevice device = TestDevices.Cuda;
        using DeviceBuffer buffer = TestBytes.Upload(device, new byte[4096]);
        using DeviceStream captured = device.CreateStream(), other = device.CreateStream();
        nint stream = ((CudaStream)captured).Value;
        nint graph;
        using (device.Context.Enter())
            LibCuda.Check(LibCuda.cuStreamBeginCapture(stream, LibCuda.CU_STREAM_CAPTURE_MODE_GLOBAL));
        captured.Fill(buffer.Address, 5, buffer.Length);
        Exception? failure = null;
        var thread = new Thread(() => failure = Record.Exception(() => Work(device, other)));
        thread.Start();
        Assert.True(thread.Join(TimeSpan.FromSeconds(60)), "Work beside the capture did not end.");
        using (device.Context.Enter())
            LibCuda.Check(LibCuda.cuStreamEndCapture(stream, out graph));
        Assert.Null(failure);
        using (device.Context.Enter())
        {
            LibCuda.Check(LibCuda.cuGraphInstantiateWithFlags(out nint executable, graph, 0));
            LibCuda.Check(LibCuda.cuGraphLaunch(executable, stream));
            LibCuda.Check(LibCuda.cuStreamSynchronize(stream));
            LibCuda.Check(LibCuda.cuGraphExecDestroy(executable));
            LibCuda.Check(LibCuda.cuGraphDestroy(graph));
        }

        Assert.False(TestBytes.Download(buffer).AsSpan().ContainsAnyExcept((byte)5));
    }

    /// <summary>The calls that CUDA counts as potentially unsafe beside a capture, and the others of an engine's worker.</summary>
    private static unsafe void Work(CudaDevice device, DeviceStream stream)
    {
        using var host = new NativeBuffer(3 * 4096);
        using MappedBuffer mapped = device.MapHost((nint)host.Pointer, host.Length);
        using MappedBuffer pinned = device.AllocateMapped(4096);
        using DeviceBuffer memory = device.Allocate(1 << 20);
        using DeviceKernel<CountArgs> kernel = device.Load<CountArgs>(CountKernels.Increment);
        using DeviceEvent recorded = device.CreateEvent();
        stream.Copy(memory.Address, mapped.DeviceAddress, mapped.Length);
        stream.Record(recorded);
        _ = stream.IsIdle;
        _ = recorded.HasHappened;
        stream.Synchronize();
        device.ExportMemory(memory);
    }
}
