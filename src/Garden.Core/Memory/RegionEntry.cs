using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>One row of the <see cref="RegionTable"/>: three cache lines, read by workers without a lock.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal struct RegionEntry
{
    public const int SizeInBytes = 192;

    /// <summary>The generation a handle must carry; 0 while the row is free or being written.</summary>
    public int Generation;

    /// <summary>Which kind of region this row is.</summary>
    public RegionState State;

    /// <summary>The peer a remote region belongs to, −1 for a local one.</summary>
    public int Peer;

    /// <summary>The device whose NICs the region is registered with (local), or whose worker reaches it (remote).</summary>
    public int Device;

    /// <summary>Length in bytes.</summary>
    public long Length;

    /// <summary>The generation the row gets when it is used next.</summary>
    public int NextGeneration;

    /// <summary>Key per NIC: the local key of NIC i, or the peer's key of its NIC i.</summary>
    public NicValues Keys;

    /// <summary>Address of the first byte per NIC: the local address, or what the peer's NIC i counts from.</summary>
    public NicValues Bases;

    /// <summary>A value per NIC.</summary>
    [InlineArray(NetAddress.MaxNics)]
    public struct NicValues
    {
        private ulong _first;
    }
}

/// <summary>What a row of the region table holds.</summary>
internal enum RegionState
{
    Free = 0,
    Local = 1,

    /// <summary>A local region that is being unregistered: running transfers may finish, new ones are refused.</summary>
    Closing = 2,
    Remote = 3,
}
