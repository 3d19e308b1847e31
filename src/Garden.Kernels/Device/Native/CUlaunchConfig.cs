using System.Runtime.InteropServices;

namespace Garden.Kernels.Native;

/// <summary>Shape, stream and attributes of a launch.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CUlaunchConfig
{
    public uint gridDimX;
    public uint gridDimY;
    public uint gridDimZ;
    public uint blockDimX;
    public uint blockDimY;
    public uint blockDimZ;
    public uint sharedMemBytes;
    public nint hStream;
    public CUlaunchAttribute* attrs;
    public uint numAttrs;
}
