using System.Runtime.InteropServices;

namespace Garden.Kernels;

/// <summary>Arguments of <see cref="SignalProgress"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SignalProgressArgs
{
    /// <summary>Address of the count in device memory.</summary>
    public ulong Count;

    /// <summary>Address of the watcher's value in mapped host memory.</summary>
    public ulong Value;
}
