using System.Runtime.InteropServices;

namespace Garden.Kernels;

/// <summary>16 bytes in four registers: what a thread moves at a time.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct Vector16
{
    /// <summary>Bytes 0 to 3.</summary>
    public uint A;

    /// <summary>Bytes 4 to 7.</summary>
    public uint B;

    /// <summary>Bytes 8 to 11.</summary>
    public uint C;

    /// <summary>Bytes 12 to 15.</summary>
    public uint D;
}
