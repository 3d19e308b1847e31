using System.Runtime.InteropServices;

namespace Garden.Kernels.Weights;

/// <summary>Arguments of the copy of rows at regular places.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct WeightRowsArgs
{
    /// <summary>Address of the first row.</summary>
    public ulong Source;

    /// <summary>Where it goes.</summary>
    public ulong Destination;

    /// <summary>Bytes from one row to the next.</summary>
    public ulong SourceStride;

    /// <summary>The same where they go.</summary>
    public ulong DestinationStride;

    /// <summary>Rows.</summary>
    public int Rows;

    /// <summary>Vectors of a row.</summary>
    public uint Vectors;
}
