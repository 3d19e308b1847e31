using System.Runtime.InteropServices;

namespace Garden.Kernels;

/// <summary>A piece of a <see cref="WriteDescriptor"/> with raw addresses: 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 24)]
public struct DeviceWrite
{
    /// <summary>Address of the first source byte.</summary>
    public ulong Source;

    /// <summary>Address of the first destination byte.</summary>
    public ulong Destination;

    /// <summary>Length in bytes.</summary>
    public long Length;
}
