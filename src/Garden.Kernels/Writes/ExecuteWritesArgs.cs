using System.Runtime.InteropServices;

namespace Garden.Kernels;

/// <summary>Arguments of <see cref="ExecuteWrites"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ExecuteWritesArgs
{
    /// <summary>Address of the <see cref="DeviceWrite"/>s.</summary>
    public ulong Writes;

    /// <summary>How many there are.</summary>
    public int Count;

    /// <summary>Threads that share one write.</summary>
    public int Lanes;
}
