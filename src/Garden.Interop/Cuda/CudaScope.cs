using System.Runtime.InteropServices;
using Garden.Interop.Cuda.Native;

namespace Garden.Interop.Cuda;

/// <summary>Makes the context that owns some device memory the calling thread's, until it is disposed.</summary>
internal readonly unsafe ref struct CudaScope
{
    private CudaScope(nint context) => Context = context;

    public nint Context { get; }

    /// <exception cref="FabricException">The driver is not there, or the address is not one of device memory.</exception>
    public static CudaScope Enter(ulong address)
    {
        if (!NativeLibrary.TryLoad(CudaDriver.Soname, out _))
            throw new FabricException($"CUDA memory cannot be registered: {CudaDriver.Soname} was not found; it comes with the NVIDIA driver.");
        void* context = null;
        int code = CudaDriver.cuPointerGetAttribute(&context, CudaDriver.CU_POINTER_ATTRIBUTE_CONTEXT, address);
        if (code != CudaDriver.CUDA_SUCCESS || context is null)
            throw new FabricException($"0x{address:x} is no address of CUDA memory in this process: {NameOf(code)} ({code}).");
        return Enter((nint)context);
    }

    public static CudaScope Enter(nint context)
    {
        int code = CudaDriver.cuCtxPushCurrent_v2((void*)context);
        if (code != CudaDriver.CUDA_SUCCESS)
            throw new FabricException($"A CUDA context could not be entered: {NameOf(code)} ({code}).");
        return new CudaScope(context);
    }

    public static string NameOf(int code)
    {
        byte* name = null;
        return CudaDriver.cuGetErrorName(code, &name) == CudaDriver.CUDA_SUCCESS ? Marshal.PtrToStringUTF8((nint)name)! : "unknown error";
    }

    public void Dispose()
    {
        void* context;
        _ = CudaDriver.cuCtxPopCurrent_v2(&context);
    }
}
