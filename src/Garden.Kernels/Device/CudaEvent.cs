using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>An event of the driver.</summary>
internal sealed unsafe class CudaEvent : DeviceEvent
{
    private readonly CudaContext _context;
    private readonly CudaHandle _handle;
    private readonly bool? _timing;

    private CudaEvent(CudaContext context, CudaHandle handle, bool? timing)
    {
        _context = context;
        _handle = handle;
        _timing = timing;
    }

    public override bool HasHappened
    {
        get
        {
            using CudaContext.Scope scope = _context.Enter();
            CUresult result = LibCuda.cuEventQuery(_handle.Value);
            if (result == CUresult.CUDA_ERROR_NOT_READY)
                return false;
            LibCuda.Check(result, nameof(LibCuda.cuEventQuery));
            return true;
        }
    }

    public static CudaEvent Create(CudaDevice device, bool timing)
    {
        using CudaContext.Scope scope = device.Context.Enter();
        LibCuda.Check(LibCuda.cuEventCreate(out nint created, timing ? 0 : LibCuda.CU_EVENT_DISABLE_TIMING));
        return new CudaEvent(device.Context, CudaHandle.Own(device.Context, created, &LibCuda.cuEventDestroy), timing);
    }

    public static CudaEvent Wrap(CudaDevice device, nint foreign)
    {
        ArgumentOutOfRangeException.ThrowIfZero(foreign);
        return new CudaEvent(device.Context, CudaHandle.Borrow(device.Context, foreign), null);
    }

    public static nint Of(DeviceEvent of) =>
        of is CudaEvent cuda ? cuda._handle.Value : throw new ArgumentException("The event belongs to the CPU accelerator; use one that a CUDA device created.", nameof(of));

    public override void Synchronize()
    {
        using CudaContext.Scope scope = _context.Enter();
        LibCuda.Check(LibCuda.cuEventSynchronize(_handle.Value));
    }

    public override TimeSpan Since(DeviceEvent earlier)
    {
        if (_timing == false || (earlier as CudaEvent)?._timing == false)
            throw new InvalidOperationException("An event without timing measures nothing; create it with timing: true.");
        using CudaContext.Scope scope = _context.Enter();
        LibCuda.Check(LibCuda.cuEventElapsedTime(out float milliseconds, Of(earlier), _handle.Value));
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    protected override void Dispose(bool disposing) => _handle.Dispose();
}
