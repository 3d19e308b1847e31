using System.Runtime.InteropServices;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Host memory the driver allocated: pinned, and mapped into all contexts.</summary>
internal sealed unsafe class CudaMappedBuffer : MappedBuffer
{
    private readonly CudaHandle _owned;

    private CudaMappedBuffer(CudaHandle owned, nint host, nint device, long length)
        : base(host, device, length) => _owned = owned;

    public static CudaMappedBuffer Allocate(CudaDevice device, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        using CudaContext.Scope scope = device.Context.Enter();
        LibCuda.Check(LibCuda.cuMemHostAlloc(out nint host, (nuint)bytes, LibCuda.CU_MEMHOSTALLOC_PORTABLE | LibCuda.CU_MEMHOSTALLOC_DEVICEMAP));
        CudaHandle owned = CudaHandle.Own(device.Context, host, &LibCuda.cuMemFreeHost);
        try
        {
            LibCuda.Check(LibCuda.cuMemHostGetDevicePointer(out nint mapped, host, 0));
            NativeMemory.Clear((void*)host, (nuint)bytes);
            return new CudaMappedBuffer(owned, host, mapped, bytes);
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    private protected override void Free() => _owned.Dispose();
}
