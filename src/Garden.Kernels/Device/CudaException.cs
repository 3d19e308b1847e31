using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>A call of the CUDA driver failed, or the driver or the device that was asked for is not there.</summary>
public sealed class CudaException : GardenException
{
    /// <summary>An error that no driver call reported: something asked for is missing.</summary>
    public CudaException(string message)
        : base(message) => Call = "";

    private CudaException(string message, string call, int code)
        : base(message)
    {
        Call = call;
        Code = code;
    }

    /// <summary>The driver's function, empty when none was called.</summary>
    public string Call { get; }

    /// <summary>The driver's <c>CUresult</c>, 0 when no driver call reported the error.</summary>
    public int Code { get; }

    /// <summary>True when the device had not enough memory.</summary>
    public bool IsOutOfMemory => Code == (int)CUresult.CUDA_ERROR_OUT_OF_MEMORY;

    /// <summary>True when a call came at the wrong time of a stream's capture, which says nothing about the device.</summary>
    internal bool IsOfCapture => Code is (int)CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED or (int)CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;

    /// <summary>Name, meaning and advice of a code.</summary>
    internal static unsafe string Describe(CUresult result)
    {
        string name = LibCuda.cuGetErrorName(result, out byte* text) == CUresult.CUDA_SUCCESS ? Text(text) : "unknown";
        string meaning = LibCuda.cuGetErrorString(result, out text) == CUresult.CUDA_SUCCESS ? Text(text) : "the driver has no text for this code";
        return $"{(int)result} ({name}): {meaning}. {Advice(result)}";
    }

    [DoesNotReturn]
    internal static void Throw(CUresult result, string expression)
    {
        string call = NameOf(expression);
        throw new CudaException($"{call} failed with {Describe(result)}", call, (int)result);
    }

    /// <summary>"LibCuda.cuMemAlloc(out address, …)" → "cuMemAlloc".</summary>
    private static string NameOf(string expression)
    {
        int end = expression.IndexOf('(', StringComparison.Ordinal);
        string call = end < 0 ? expression : expression[..end];
        return call[(call.LastIndexOf('.') + 1)..];
    }

    private static unsafe string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    private static string Advice(CUresult result) => result switch
    {
        CUresult.CUDA_ERROR_OUT_OF_MEMORY => "Free device memory, or allocate less; KernelDevice.Memory tells what is left.",
        CUresult.CUDA_ERROR_NO_DEVICE => "Check `nvidia-smi` and CUDA_VISIBLE_DEVICES.",
        CUresult.CUDA_ERROR_NOT_INITIALIZED or CUresult.CUDA_ERROR_DEINITIALIZED => "The driver has shut down; dispose devices before the process ends.",
        CUresult.CUDA_ERROR_INVALID_CONTEXT => "The pointer, stream or event belongs to another context; attach to that one with KernelDevice.AttachCuda.",
        CUresult.CUDA_ERROR_MAP_FAILED => "The exporting process may have ended, or its GPU is not visible here.",
        CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED or CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED => "The stream is being captured, or its capture was broken by such a call; end the capture first.",
        _ => "An error of a kernel shows in a later call: run with CUDA_LAUNCH_BLOCKING=1 or compute-sanitizer to find it.",
    };
}
