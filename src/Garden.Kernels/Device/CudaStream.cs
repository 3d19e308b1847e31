using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>A stream of the driver.</summary>
internal sealed unsafe class CudaStream : DeviceStream
{
    private readonly CudaHandle _handle;
    private bool _capturing;

    private CudaStream(CudaDevice device, CudaHandle handle)
        : base(device)
    {
        Context = device.Context;
        _handle = handle;
    }

    public CudaContext Context { get; }

    public nint Value => _handle.Value;

    public override bool IsIdle
    {
        get
        {
            using CudaContext.Scope scope = Context.Enter();
            CUresult result = LibCuda.cuStreamQuery(Value);
            if (result == CUresult.CUDA_ERROR_NOT_READY)
                return false;
            LibCuda.Check(result, nameof(LibCuda.cuStreamQuery));
            return true;
        }
    }

    public static CudaStream Create(CudaDevice device, bool isUrgent = false)
    {
        using CudaContext.Scope scope = device.Context.Enter();
        int priority = 0;
        if (isUrgent)
            LibCuda.Check(LibCuda.cuCtxGetStreamPriorityRange(out _, out priority));
        // Not blocking: nobody's use of the legacy default stream may stall this one.
        LibCuda.Check(LibCuda.cuStreamCreateWithPriority(out nint stream, LibCuda.CU_STREAM_NON_BLOCKING, priority));
        return new CudaStream(device, CudaHandle.Own(device.Context, stream, &LibCuda.cuStreamDestroy));
    }

    public static CudaStream Wrap(CudaDevice device, nint stream)
    {
        using CudaContext.Scope scope = device.Context.Enter();
        LibCuda.Check(LibCuda.cuStreamGetCtx(stream, out nint context));
        if (context != device.Context.DangerousGetHandle())
            throw new CudaException($"The stream 0x{stream:x} belongs to the context 0x{context:x}, not to that of {device.Name}; open its context with KernelDevice.AttachCuda.");
        return new CudaStream(device, CudaHandle.Borrow(device.Context, stream));
    }

    public override void Copy(nint destination, nint source, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes == 0)
            return;
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuMemcpyAsync(destination, source, (nuint)bytes, Value));
    }

    public override void Fill(nint address, byte value, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes == 0)
            return;
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuMemsetD8Async(address, value, (nuint)bytes, Value));
    }

    public override void WriteFlag(nint address, ulong value)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(address & 7, 0);
        using CudaContext.Scope scope = Context.Enter();
        // Without flags the store is preceded by a fence of the whole system.
        LibCuda.Check(LibCuda.cuStreamWriteValue64(Value, address, value, 0));
    }

    public override void Record(DeviceEvent recorded)
    {
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuEventRecord(CudaEvent.Of(recorded), Value));
    }

    public override void Wait(DeviceEvent awaited)
    {
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuStreamWaitEvent(Value, CudaEvent.Of(awaited), 0));
    }

    public override void Synchronize()
    {
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuStreamSynchronize(Value));
    }

    public override void BeginCapture()
    {
        if (_capturing)
            throw new InvalidOperationException("The stream is capturing already; end that capture first.");
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuStreamBeginCapture(Value, LibCuda.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
        _capturing = true;
    }

    public override DeviceGraph EndCapture()
    {
        if (!_capturing)
            throw new InvalidOperationException("The stream is not capturing; call BeginCapture first.");
        _capturing = false;
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuStreamEndCapture(Value, out nint graph));
        try
        {
            LibCuda.Check(LibCuda.cuGraphInstantiateWithFlags(out nint executable, graph, 0));
            return new CudaGraph(Context, CudaHandle.Own(Context, executable, &LibCuda.cuGraphExecDestroy));
        }
        finally
        {
            _ = LibCuda.cuGraphDestroy(graph);
        }
    }

    /// <summary>A stream of the same context.</summary>
    /// <exception cref="ArgumentException">It belongs to another device or accelerator.</exception>
    public static CudaStream Of(DeviceStream stream, CudaContext context) =>
        stream is CudaStream cuda && ReferenceEquals(cuda.Context, context)
            ? cuda
            : throw new ArgumentException($"The stream belongs to {stream?.Device.Name ?? "nobody"}; use one of the device the work is for.", nameof(stream));

    protected override void Dispose(bool disposing) => _handle.Dispose();
}
