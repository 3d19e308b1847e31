using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden.Kernels.Native;

/// <summary>The CUDA driver: initialisation, devices, contexts and errors. Names and versions are those of <c>cuda.h</c> 12.</summary>
internal static unsafe partial class LibCuda
{
    private const string Library = "libcuda.so.1";

    /// <summary>True when the driver's library can be loaded. Nothing of it may be called before.</summary>
    public static bool IsPresent { get; } = NativeLibrary.TryLoad(Library, typeof(LibCuda).Assembly, null, out _);

    /// <summary>Throws what a call returned, unless it succeeded.</summary>
    /// <exception cref="CudaException">It did not; the message names the call, the code and its meaning.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Check(CUresult result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != CUresult.CUDA_SUCCESS)
            CudaException.Throw(result, call);
    }

    [LibraryImport(Library)]
    public static partial CUresult cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial CUresult cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    public static partial CUresult cuGetErrorName(CUresult error, out byte* name);

    [LibraryImport(Library)]
    public static partial CUresult cuGetErrorString(CUresult error, out byte* meaning);

    [LibraryImport(Library)]
    public static partial CUresult cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    public static partial CUresult cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    public static partial CUresult cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    public static partial CUresult cuDeviceGetAttribute(out int value, CUdevice_attribute attribute, int device);

    [LibraryImport(Library)]
    public static partial CUresult cuDeviceCanAccessPeer(out int can, int device, int peer);

    [LibraryImport(Library)]
    public static partial CUresult cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    public static partial CUresult cuDevicePrimaryCtxRelease(int device);

    [LibraryImport(Library, EntryPoint = "cuCtxPushCurrent_v2")]
    public static partial CUresult cuCtxPushCurrent(nint context);

    [LibraryImport(Library, EntryPoint = "cuCtxPopCurrent_v2")]
    public static partial CUresult cuCtxPopCurrent(out nint context);

    [LibraryImport(Library)]
    public static partial CUresult cuCtxGetDevice(out int device);

    [LibraryImport(Library)]
    public static partial CUresult cuCtxSynchronize();

    [LibraryImport(Library)]
    public static partial CUresult cuCtxEnablePeerAccess(nint peer, uint flags);
}
