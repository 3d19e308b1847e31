using System.Runtime.InteropServices;

namespace Garden.Kernels.Weights;

/// <summary>Arguments of <see cref="Float8Convert"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Float8ConvertArgs
{
    /// <summary>Address of the bfloat16 elements, row-major without gaps.</summary>
    public ulong Source;

    /// <summary>Address of the e4m3 elements.</summary>
    public ulong Destination;

    /// <summary>Address of the scales, single precision, a row of them for each row of blocks.</summary>
    public ulong Scales;

    /// <summary>Matrices, one behind the other.</summary>
    public uint Matrices;

    /// <summary>Rows of a matrix.</summary>
    public uint Rows;

    /// <summary>Columns.</summary>
    public uint Columns;

    /// <summary>1 when 8 elements can be moved at a time: 16 bytes are read and 8 written at multiples of as many.</summary>
    public int Wide;
}
