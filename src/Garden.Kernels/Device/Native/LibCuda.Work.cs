using System.Runtime.InteropServices;

namespace Garden.Kernels.Native;

/// <summary>Streams, events, graphs, modules and launches.</summary>
internal static unsafe partial class LibCuda
{
    public const uint CU_STREAM_NON_BLOCKING = 1;
    public const uint CU_EVENT_DISABLE_TIMING = 2;
    public const int CU_STREAM_CAPTURE_MODE_GLOBAL = 0;
    public const int CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1;
    public const int CU_STREAM_CAPTURE_MODE_RELAXED = 2;

    [LibraryImport(Library)]
    public static partial CUresult cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library)]
    public static partial CUresult cuStreamCreateWithPriority(out nint stream, uint flags, int priority);

    [LibraryImport(Library)]
    public static partial CUresult cuCtxGetStreamPriorityRange(out int least, out int greatest);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    public static partial CUresult cuStreamDestroy(nint stream);

    [LibraryImport(Library)]
    public static partial CUresult cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    public static partial CUresult cuStreamQuery(nint stream);

    [LibraryImport(Library)]
    public static partial CUresult cuStreamWaitEvent(nint stream, nint awaited, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamWriteValue64_v2")]
    public static partial CUresult cuStreamWriteValue64(nint stream, nint address, ulong value, uint flags);

    [LibraryImport(Library)]
    public static partial CUresult cuStreamGetCtx(nint stream, out nint context);

    [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
    public static partial CUresult cuStreamBeginCapture(nint stream, int mode);

    [LibraryImport(Library)]
    public static partial CUresult cuThreadExchangeStreamCaptureMode(ref int mode);

    [LibraryImport(Library)]
    public static partial CUresult cuStreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library)]
    public static partial CUresult cuEventCreate(out nint created, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial CUresult cuEventDestroy(nint destroyed);

    [LibraryImport(Library)]
    public static partial CUresult cuEventRecord(nint recorded, nint stream);

    [LibraryImport(Library)]
    public static partial CUresult cuEventQuery(nint queried);

    [LibraryImport(Library)]
    public static partial CUresult cuEventSynchronize(nint awaited);

    [LibraryImport(Library)]
    public static partial CUresult cuEventElapsedTime(out float milliseconds, nint from, nint to);

    [LibraryImport(Library)]
    public static partial CUresult cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library)]
    public static partial CUresult cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library)]
    public static partial CUresult cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)]
    public static partial CUresult cuGraphDestroy(nint graph);

    [LibraryImport(Library)]
    public static partial CUresult cuModuleLoadDataEx(out nint module, byte* image, uint options, CUjit_option* names, void** values);

    [LibraryImport(Library)]
    public static partial CUresult cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial CUresult cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    public static partial CUresult cuFuncGetAttribute(out int value, CUfunction_attribute attribute, nint function);

    [LibraryImport(Library)]
    public static partial CUresult cuFuncSetAttribute(nint function, CUfunction_attribute attribute, int value);

    [LibraryImport(Library)]
    public static partial CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int threads, nuint dynamicSharedBytes);

    [LibraryImport(Library)]
    public static partial CUresult cuLaunchKernelEx(CUlaunchConfig* config, nint function, void** parameters, void** extra);
}
