using System.Runtime.InteropServices;

namespace Garden.Kernels.KvCache;

/// <summary>Arguments of the copies between pages and contiguous memory.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct KvGatherArgs
{
    /// <summary>Address of the pool.</summary>
    public ulong Pool;

    /// <summary>Address of the contiguous memory, in the order [layer][plane][token][head][element].</summary>
    public ulong Contiguous;

    /// <summary>Address of the page indices.</summary>
    public ulong Pages;

    /// <summary>Pages of the pool.</summary>
    public int PoolPages;

    /// <summary>First layer.</summary>
    public int FirstLayer;

    /// <summary>Layers times planes.</summary>
    public int Rows;

    /// <summary>Vectors of one plane of one layer.</summary>
    public uint Vectors;
}
