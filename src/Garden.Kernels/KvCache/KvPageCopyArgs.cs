using System.Runtime.InteropServices;

namespace Garden.Kernels.KvCache;

/// <summary>Arguments of the copy from pages to pages.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct KvPageCopyArgs
{
    /// <summary>Address of the pool to read.</summary>
    public ulong SourcePool;

    /// <summary>Address of the pool to write.</summary>
    public ulong DestinationPool;

    /// <summary>Address of the page indices to read.</summary>
    public ulong SourcePages;

    /// <summary>Address of the page indices to write.</summary>
    public ulong DestinationPages;

    /// <summary>Pages of the pool to read.</summary>
    public int SourcePoolPages;

    /// <summary>Pages of the pool to write.</summary>
    public int DestinationPoolPages;

    /// <summary>First layer.</summary>
    public int FirstLayer;

    /// <summary>Layers times planes.</summary>
    public int Rows;

    /// <summary>Vectors of all pages in one plane of one layer.</summary>
    public uint Vectors;
}
