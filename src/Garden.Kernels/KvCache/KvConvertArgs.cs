using System.Runtime.InteropServices;

namespace Garden.Kernels.KvCache;

/// <summary>Arguments of the conversion between two layouts.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct KvConvertArgs
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

    /// <summary>First token, counted from the first listed page of either side.</summary>
    public uint FirstToken;

    /// <summary>Heads to move.</summary>
    public uint Heads;

    /// <summary>The first of them on the side that is read.</summary>
    public uint SourceHead;

    /// <summary>The first of them on the side that is written.</summary>
    public uint DestinationHead;

    /// <summary>Layers times planes, times heads when the written side is head-major.</summary>
    public int Rows;

    /// <summary>Vectors of a row.</summary>
    public uint Vectors;
}
