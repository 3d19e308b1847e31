using System.Runtime.InteropServices;

namespace Garden.Kernels;

/// <summary>Arguments of <see cref="ExecuteWrites"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ExecuteWritesArgs
{
    /// <summary>Address of the <see cref="DeviceWrite"/>s, 0 when <see cref="Only"/> is all there is.</summary>
    public ulong Writes;

    /// <summary>Address of a count in device memory that is 0, and is so again afterwards; 0 when no flag is stored.</summary>
    public ulong Tickets;

    /// <summary>Address of 8 bytes that are stored when every write has landed.</summary>
    public ulong Flag;

    /// <summary>What is stored there.</summary>
    public ulong Value;

    /// <summary>The write of a list of one: it comes with the launch, and nothing has to be loaded.</summary>
    public DeviceWrite Only;

    /// <summary>How many writes there are.</summary>
    public int Count;

    /// <summary>Pieces of the longest write; shorter ones have fewer.</summary>
    public int Pieces;

    /// <summary>Length of a piece in bytes, a multiple of 16.</summary>
    public int PieceBytes;

    /// <summary>Threads that share a piece.</summary>
    public int Lanes;
}
