using System.Runtime.InteropServices;

namespace Garden.Kernels.Native;

/// <summary>Memory: device, host, copies, and handles for others.</summary>
internal static unsafe partial class LibCuda
{
    public const uint CU_MEMHOSTALLOC_PORTABLE = 1;
    public const uint CU_MEMHOSTALLOC_DEVICEMAP = 2;
    public const uint CU_MEMHOSTREGISTER_PORTABLE = 1;
    public const uint CU_MEMHOSTREGISTER_DEVICEMAP = 2;
    public const uint CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS = 1;
    public const int CU_MEMORYTYPE_DEVICE = 2;
    public const int CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD = 1;

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial CUresult cuMemGetInfo(out nuint free, out nuint total);

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    public static partial CUresult cuMemAlloc(out nint address, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    public static partial CUresult cuMemFree(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemGetAddressRange_v2")]
    public static partial CUresult cuMemGetAddressRange(out nint start, out nuint bytes, nint address);

    [LibraryImport(Library)]
    public static partial CUresult cuMemHostAlloc(out nint address, nuint bytes, uint flags);

    [LibraryImport(Library)]
    public static partial CUresult cuMemFreeHost(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemHostRegister_v2")]
    public static partial CUresult cuMemHostRegister(nint address, nuint bytes, uint flags);

    [LibraryImport(Library)]
    public static partial CUresult cuMemHostUnregister(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemHostGetDevicePointer_v2")]
    public static partial CUresult cuMemHostGetDevicePointer(out nint deviceAddress, nint hostAddress, uint flags);

    [LibraryImport(Library)]
    public static partial CUresult cuMemcpyAsync(nint destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CUresult cuMemsetD8Async(nint address, byte value, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CUresult cuPointerGetAttribute(void* data, CUpointer_attribute attribute, nint address);

    [LibraryImport(Library)]
    public static partial CUresult cuMemGetHandleForAddressRange(out int handle, nint address, nuint bytes, int handleType, ulong flags);

    [LibraryImport(Library)]
    public static partial CUresult cuIpcGetMemHandle(out CUipcMemHandle handle, nint address);

    [LibraryImport(Library, EntryPoint = "cuIpcOpenMemHandle_v2")]
    public static partial CUresult cuIpcOpenMemHandle(out nint address, CUipcMemHandle handle, uint flags);

    [LibraryImport(Library)]
    public static partial CUresult cuIpcCloseMemHandle(nint address);
}
