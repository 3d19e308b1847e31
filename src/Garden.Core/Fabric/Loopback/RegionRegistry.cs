using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Garden.Fabric.Loopback;

/// <summary>All registered regions of a network. A key is a row's index under 44 random bits, so finding one costs no hashing.</summary>
/// <remarks>
/// Protocol. Writers hold the lock: they fill a row, then publish its keys with release stores. Readers are inside a
/// <see cref="DeliverySection"/>: they compare a key with an acquire load, then read the row. Removing stores zero keys,
/// waits for all sections, and only then lets the row be used again, so no reader sees a row change. Row 0 stays
/// empty: a zero key finds it and its zero length refuses everything.
/// </remarks>
internal sealed class RegionRegistry
{
    private const int IndexBits = 20;
    private const int ChunkBits = 10;
    private const int ChunkMask = (1 << ChunkBits) - 1;
    private const ulong IndexMask = (1UL << IndexBits) - 1;

    private readonly Lock _lock = new();
    private readonly Queue<int> _free = new();
    private readonly Row[]?[] _chunks = new Row[1 << (IndexBits - ChunkBits)][];
    private int _used = 1;

    public RegionRegistry() => _chunks[0] = new Row[1 << ChunkBits];

    public RegionKeys Add(int owner, nint address, long length)
    {
        lock (_lock)
        {
            if (!_free.TryDequeue(out int index))
            {
                if (_used > (int)IndexMask)
                    throw new FabricException($"All {IndexMask} regions of the loopback network are in use; unregister some.");
                index = _used++;
                _chunks[index >> ChunkBits] ??= new Row[1 << ChunkBits];
            }

            ref Row row = ref _chunks[index >> ChunkBits]![index & ChunkMask];
            row.Owner = owner;
            row.Address = (ulong)address;
            row.Length = (ulong)length;
            // Peers see addresses of their own kind, as behind an IOMMU: mixing them up with pointers shows at once.
            row.RemoteBase = (Random44() << 12) & 0x3fff_ffff_f000;
            Volatile.Write(ref row.LocalKey, (Random44() << IndexBits) | (uint)index);
            Volatile.Write(ref row.RemoteKey, (Random44() << IndexBits) | (uint)index);
            return new RegionKeys(row.LocalKey, row.RemoteKey, row.RemoteBase);
        }
    }

    /// <summary>Revokes keys; false when they name nothing of this owner. The row is used again after <see cref="Recycle"/>.</summary>
    public bool TryRevoke(int owner, ulong localKey)
    {
        lock (_lock)
        {
            ref Row row = ref Find(localKey);
            if (row.LocalKey != localKey || row.Owner != owner || localKey == 0)
                return false;
            Revoke(ref row);
            return true;
        }
    }

    /// <summary>Revokes everything of one NIC and returns the keys to recycle.</summary>
    public List<ulong> RevokeAll(int owner)
    {
        var keys = new List<ulong>();
        lock (_lock)
        {
            for (int i = 1; i < _used; i++)
            {
                ref Row row = ref _chunks[i >> ChunkBits]![i & ChunkMask];
                if (row.LocalKey == 0 || row.Owner != owner)
                    continue;
                keys.Add(row.LocalKey);
                Revoke(ref row);
            }
        }

        return keys;
    }

    /// <summary>Lets a revoked row be used again, once no section can be looking at it.</summary>
    public void Recycle(ulong localKey)
    {
        lock (_lock)
            _free.Enqueue((int)(localKey & IndexMask));
    }

    /// <summary>The row a key points at, whose own key the caller compares.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref Row Find(ulong key)
    {
        int index = (int)(key & IndexMask);
        Row[]? chunk = _chunks[index >> ChunkBits];
        return ref chunk is null ? ref _chunks[0]![0] : ref chunk[index & ChunkMask];
    }

    private static void Revoke(ref Row row)
    {
        Volatile.Write(ref row.RemoteKey, 0);
        Volatile.Write(ref row.LocalKey, 0);
    }

    /// <summary>44 random bits that are not all zero.</summary>
    private static ulong Random44()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return (BitConverter.ToUInt64(bytes) >> IndexBits) | 1;
    }

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    public struct Row
    {
        public ulong LocalKey;
        public ulong RemoteKey;
        public ulong Address;
        public ulong RemoteBase;
        public ulong Length;
        public int Owner;
    }
}
