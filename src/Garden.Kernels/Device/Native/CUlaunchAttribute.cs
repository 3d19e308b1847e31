using System.Runtime.InteropServices;

namespace Garden.Kernels.Native;

/// <summary>One attribute of a launch: 72 bytes, of which the value's union takes 64.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct CUlaunchAttribute
{
    public const int CU_LAUNCH_ATTRIBUTE_COOPERATIVE = 2;
    public const int CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6;

    [FieldOffset(0)]
    public int id;

    [FieldOffset(8)]
    public int value;
}
