using System.Runtime.InteropServices;

namespace Garden.Kernels.Nvlink;

/// <summary>
/// What a NIC shares with its peers, in host memory that all of them map: whether it is up, how far its stream is, its
/// regions, and a link for each route that leads to it.
/// </summary>
/// <remarks>
/// The layout is the fabric's protocol; a change of it is a new <see cref="Version"/>. Every field has one writer at a time: the
/// owner ("receiver") or the NIC whose route a link is ("writer"), as it says there. Nothing that a peer writes is used as
/// an index or length without a check.
/// </remarks>
internal static class Segment
{
    public const ulong Magic = 0x6B6E696C_766E4447; // "GDnvlink"
    public const int Version = 2;
    public const int IndexBits = 12;
    public const int Regions = 1 << IndexBits;
    public const ulong IndexMask = Regions - 1;
    public const int Links = 128;
    public const int Immediates = 1024;
    public const int Messages = 64;
    public const int MessageBytes = 8192;

    /// <summary>Of <see cref="SegmentHeader.Done"/>, which is alone on its page: that page is pinned for the GPU.</summary>
    public const int DonePage = 4096;

    public const int PageBytes = 4096;
    public const long RegionsAt = 2 * PageBytes;
    public const long LinksAt = RegionsAt + (Regions * (long)RegionRow.SizeInBytes);
    public const long LinkBytes = LinkRow.SizeInBytes + (Messages * (long)MessageBytes);
    public const long Length = LinksAt + (Links * LinkBytes);
}

/// <summary>State of a NIC as its peers see it.</summary>
internal enum SegmentState
{
    Open = 1,
    Failed = 2,
    Closed = 3,
}

/// <summary>The first two pages. Written by the owner, but for <see cref="Armed"/>, <see cref="HighWater"/> and, by its GPU, <see cref="Done"/>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 2 * Segment.PageBytes)]
internal struct SegmentHeader
{
    [FieldOffset(0)]
    public ulong Magic;

    [FieldOffset(8)]
    public int Version;

    /// <summary>The driver's number of the CUDA device, −1 for the CPU accelerator.</summary>
    [FieldOffset(12)]
    public int Device;

    /// <summary>A <see cref="SegmentState"/>.</summary>
    [FieldOffset(128)]
    public int State;

    /// <summary>Grows after a key was revoked.</summary>
    [FieldOffset(136)]
    public ulong Revocations;

    /// <summary>1 while the owner's worker is about to park or parked; a peer that sets it back sends a wake.</summary>
    [FieldOffset(256)]
    public int Armed;

    /// <summary>Links that were ever used; peers raise it.</summary>
    [FieldOffset(384)]
    public int HighWater;

    /// <summary>The last batch whose copies have all landed, all ones when the NIC has failed. Stored by the owner's stream.</summary>
    [FieldOffset(Segment.DonePage)]
    public ulong Done;
}

/// <summary>A registered region. The owner fills it, then publishes the key; it takes the key away before anything else changes.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal unsafe struct RegionRow
{
    public const int SizeInBytes = 192;

    /// <summary>The key for peers: a row's index under 52 random bits, 0 while the row is free.</summary>
    public ulong Key;

    /// <summary>What peers add an offset to.</summary>
    public ulong Base;

    public long Length;

    /// <summary>Address in the owner's process.</summary>
    public ulong Address;

    /// <summary>1 when another process can open the memory by its handle.</summary>
    public int IsShareable;

    /// <summary>1 for host memory.</summary>
    public int IsHost;

    /// <summary>An <see cref="IpcMemoryHandle"/> on the wire.</summary>
    public fixed byte Handle[IpcMemoryHandle.SizeInBytes];
}

/// <summary>Who may use a link.</summary>
internal enum LinkState
{
    /// <summary>Nobody, or a writer that has claimed it and introduces itself.</summary>
    Free = 0,

    Open = 1,

    /// <summary>Its writer was fenced out: nothing that it posts from now on lands.</summary>
    Fenced = 2,
}

/// <summary>One route that leads here: who writes, how far it has got, its immediates and its messages.</summary>
/// <remarks>
/// <para>Life: the writer claims a free row by its owner word (compare-exchange), introduces itself and opens the row. It closes it when
/// nothing of it is under way any more, or it dies; the receiver takes what is left and frees the row.</para>
/// <para>Revocation. The writer stores <see cref="Posted"/> (the batch it is about to put on its stream), full fence, then reads link
/// state and keys. A receiver that revokes a key or fences the link stores that, full fence, then reads Posted and waits until the
/// writer's <see cref="SegmentHeader.Done"/> has reached it. Either the writer sees the revocation or the receiver waits
/// for the copies. A batch from which everything was refused takes its Posted back.</para>
/// <para>Immediates: the writer stores the slot, then <see cref="Tail"/> (release); the receiver reads and stores
/// <see cref="Head"/>. Messages: each has a slot whose state goes empty → full (writer) → empty (receiver).</para>
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = SizeInBytes)]
internal unsafe struct LinkRow
{
    public const int SizeInBytes = 12_288;

    /// <summary>The writer's process id above bit 0 = 1, or 0.</summary>
    [FieldOffset(0)]
    public long Owner;

    /// <summary>A <see cref="LinkState"/>: opened by the writer, fenced and freed by the receiver.</summary>
    [FieldOffset(8)]
    public int State;

    /// <summary>1 when the writer will not touch the row again.</summary>
    [FieldOffset(12)]
    public int Closed;

    [FieldOffset(16)]
    public int WriterProcess;

    [FieldOffset(20)]
    public int WriterDescriptor;

    [FieldOffset(24)]
    public ulong WriterStart;

    [FieldOffset(32)]
    public ulong WriterId;

    /// <summary>The last batch of the writer's stream that may write here.</summary>
    [FieldOffset(128)]
    public ulong Posted;

    /// <summary>Up to which of the receiver's revocations the writer has let go of what it had opened.</summary>
    [FieldOffset(136)]
    public ulong Acknowledged;

    /// <summary>How many of the receiver's regions the writer has opened by their handles.</summary>
    [FieldOffset(144)]
    public int Opened;

    /// <summary>Slots of immediates written.</summary>
    [FieldOffset(256)]
    public ulong Tail;

    /// <summary>Slots of immediates read.</summary>
    [FieldOffset(384)]
    public ulong Head;

    [FieldOffset(512)]
    public fixed int MessageState[Segment.Messages];

    [FieldOffset(512 + (4 * Segment.Messages))]
    public fixed int MessageLength[Segment.Messages];

    /// <summary>Each with how often it came in its upper half.</summary>
    [FieldOffset(4096)]
    public fixed ulong Immediate[Segment.Immediates];

    /// <summary>Where the writer's segment is.</summary>
    public readonly SharedMemoryName Writer => new(WriterProcess, WriterStart, WriterDescriptor, WriterId);

    public static byte* MessageAt(LinkRow* link, int slot) => (byte*)link + SizeInBytes + ((long)slot * Segment.MessageBytes);
}
