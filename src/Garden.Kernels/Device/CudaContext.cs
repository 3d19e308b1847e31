using System.Runtime.InteropServices;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>A context of the driver: the device's primary one, which PyTorch and every other user of the CUDA runtime share, or one that was attached to.</summary>
internal sealed class CudaContext : SafeHandle
{
    private readonly bool _retained;

    private CudaContext(nint context, int device, bool retained)
        : base(0, ownsHandle: retained)
    {
        SetHandle(context);
        Device = device;
        _retained = retained;
    }

    /// <summary>The driver's device number.</summary>
    public int Device { get; }

    public override bool IsInvalid => handle == 0;

    public static CudaContext RetainPrimary(int device)
    {
        LibCuda.Check(LibCuda.cuDevicePrimaryCtxRetain(out nint context, device));
        return new CudaContext(context, device, retained: true);
    }

    public static CudaContext Attach(nint context)
    {
        LibCuda.Check(LibCuda.cuCtxPushCurrent(context));
        CUresult found = LibCuda.cuCtxGetDevice(out int device);
        LibCuda.Check(LibCuda.cuCtxPopCurrent(out _));
        LibCuda.Check(found);
        return new CudaContext(context, device, retained: false);
    }

    /// <summary>Makes the context current until the scope ends; what was current before is so again afterwards.</summary>
    public Scope Enter() => new(this);

    protected override bool ReleaseHandle() => !_retained || LibCuda.cuDevicePrimaryCtxRelease(Device) == CUresult.CUDA_SUCCESS;

    /// <summary>A stretch of code that runs in the context.</summary>
    /// <remarks>
    /// By default a thread's calls that allocate, free, pin, load or query fail while any thread captures in global mode, as PyTorch
    /// does, and break its capture. Garden's calls are never part of somebody else's capture, so the thread's mode is relaxed meanwhile;
    /// what is captured on streams of this thread is the same in every mode.
    /// </remarks>
    public readonly ref struct Scope
    {
        private readonly CudaContext _context;
        private readonly int _mode;

        public Scope(CudaContext context)
        {
            bool held = false;
            context.DangerousAddRef(ref held);
            _context = context;
            CUresult result = LibCuda.cuCtxPushCurrent(context.handle);
            if (result != CUresult.CUDA_SUCCESS)
            {
                context.DangerousRelease();
                LibCuda.Check(result, nameof(LibCuda.cuCtxPushCurrent));
            }

            _mode = LibCuda.CU_STREAM_CAPTURE_MODE_RELAXED;
            result = LibCuda.cuThreadExchangeStreamCaptureMode(ref _mode);
            if (result != CUresult.CUDA_SUCCESS)
            {
                _ = LibCuda.cuCtxPopCurrent(out _);
                context.DangerousRelease();
                LibCuda.Check(result, nameof(LibCuda.cuThreadExchangeStreamCaptureMode));
            }
        }

        public void Dispose()
        {
            // Nothing to do about a failure: the driver has shut down, and then nothing is current anyway.
            int mode = _mode;
            _ = LibCuda.cuThreadExchangeStreamCaptureMode(ref mode);
            _ = LibCuda.cuCtxPopCurrent(out _);
            _context.DangerousRelease();
        }
    }
}
