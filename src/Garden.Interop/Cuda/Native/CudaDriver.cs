using System.Runtime.InteropServices;

namespace Garden.Interop.Cuda.Native;

/// <summary>What of the CUDA driver NICs need: a descriptor of device memory, and the order its writes become visible in.</summary>
internal static unsafe partial class CudaDriver
{
    public const string Soname = "libcuda.so.1";

    public const int CUDA_SUCCESS = 0;
    public const int CU_POINTER_ATTRIBUTE_CONTEXT = 1;
    public const int CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL = 9;
    public const int CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD = 1;
    public const int CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WRITES_ORDERING = 118;
    public const int CU_GPU_DIRECT_RDMA_WRITES_ORDERING_OWNER = 100;
    public const int CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TARGET_CURRENT_CTX = 0;
    public const int CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TO_OWNER = 100;

    [LibraryImport(Soname)]
    public static partial int cuPointerGetAttribute(void* data, int attribute, ulong pointer);

    [LibraryImport(Soname)]
    public static partial int cuMemGetHandleForAddressRange(void* handle, ulong pointer, nuint size, int handleType, ulong flags);

    [LibraryImport(Soname)]
    public static partial int cuDeviceGetAttribute(int* value, int attribute, int device);

    [LibraryImport(Soname)]
    public static partial int cuCtxPushCurrent_v2(void* context);

    [LibraryImport(Soname)]
    public static partial int cuCtxPopCurrent_v2(void** context);

    [LibraryImport(Soname)]
    public static partial int cuFlushGPUDirectRDMAWrites(int target, int scope);

    [LibraryImport(Soname)]
    public static partial int cuGetErrorName(int error, byte** name);
}
