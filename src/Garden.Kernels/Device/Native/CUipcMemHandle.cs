using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden.Kernels.Native;

/// <summary>The driver's name of an allocation for other processes: 64 opaque bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CUipcMemHandle
{
    public const int SizeInBytes = 64;

    public Reserved reserved;

    [InlineArray(SizeInBytes)]
    public struct Reserved
    {
        private byte _first;
    }
}
