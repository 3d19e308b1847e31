using System.Runtime.InteropServices;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Something the driver made in a context and has to be given back in it. Keeps the context alive.</summary>
internal sealed unsafe class CudaHandle : SafeHandle
{
    private readonly CudaContext _context;
    private readonly delegate*<nint, CUresult> _release;

    private CudaHandle(CudaContext context, nint value, delegate*<nint, CUresult> release)
        : base(0, ownsHandle: true)
    {
        bool held = false;
        context.DangerousAddRef(ref held);
        _context = context;
        _release = release;
        SetHandle(value);
    }

    public override bool IsInvalid => false;

    /// <summary>The driver's value.</summary>
    /// <exception cref="ObjectDisposedException">It was given back.</exception>
    public nint Value
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>A handle that gives <paramref name="value"/> back with <paramref name="release"/>.</summary>
    public static CudaHandle Own(CudaContext context, nint value, delegate*<nint, CUresult> release) => new(context, value, release);

    /// <summary>A handle of something that belongs to somebody else, who keeps it alive.</summary>
    public static CudaHandle Borrow(CudaContext context, nint value) => new(context, value, null);

    protected override bool ReleaseHandle()
    {
        try
        {
            if (_release is null)
                return true;
            using CudaContext.Scope scope = _context.Enter();
            CUresult result = _release(handle);
            KernelMetrics.CountRelease(result);
            return result == CUresult.CUDA_SUCCESS;
        }
        catch (CudaException)
        {
            // The driver has shut down and has taken everything back itself.
            return true;
        }
        finally
        {
            _context.DangerousRelease();
        }
    }
}
