using System.Diagnostics;
using System.Security.Cryptography;
using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>The regions of one NIC: rows for its peers and, by the same key, what its own stream reads from.</summary>
/// <remarks>
/// Registered and unregistered from any thread under the lock; found by the worker without it. An entry is filled, then its key is
/// published; a key is taken away, then everybody who may be using the entry is waited for, then it is used again.
/// </remarks>
internal sealed unsafe class LocalRegions : IDisposable
{
    /// <summary>How long peers have to let go of memory they have opened. One that does not even poll for so long is fenced out.</summary>
    private static readonly TimeSpan s_letGo = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly KernelDevice _device;
    private readonly OwnSegment _segment;
    private readonly Queue<int> _free = new(Enumerable.Range(1, Segment.Regions - 1));
    private readonly Entry[] _entries = new Entry[Segment.Regions];
    private readonly Action<SharedMemoryName> _wake;
    private ulong _announced;
    private bool _disposed;

    public LocalRegions(KernelDevice device, OwnSegment segment, Action<SharedMemoryName> wake)
    {
        _device = device;
        _segment = segment;
        _wake = wake;
    }

    /// <summary>Worker: the last batch of this NIC's own stream that may read registered memory, before it looks at keys. The caller fences.</summary>
    public void Announce(ulong batch) => Volatile.Write(ref _announced, batch);

    public RegionKeys Register(nint address, long length, MemoryKind kind)
    {
        if (address == 0 || length <= 0)
            throw new FabricException($"A region has an address and at least 1 byte; got 0x{address:x} and {length} bytes.");
        if (kind == MemoryKind.Cuda && _device.MemoryKind != MemoryKind.Cuda)
            throw new FabricException($"This nvlink NIC is on {_device.Name} and cannot register CUDA memory; open the fabric on the memory's device with KernelDevice.OpenCuda.");
        Entry entry = Open(address, length, kind, out IpcMemoryHandle handle, out bool isShareable);
        lock (_lock)
        {
            if (_disposed || !_free.TryDequeue(out int index))
            {
                entry.Close();
                throw new FabricException(_disposed ? "The NIC was disposed." : $"All {Segment.Regions - 1} regions of this NIC are in use; unregister some.");
            }

            RegionRow* row = _segment.RowAt(index);
            ulong key = (Random() << Segment.IndexBits) | (uint)index;
            // Not the address: mixing up what peers count from with pointers shows at once.
            row->Base = (Random() << 12) & 0x3fff_ffff_f000;
            row->Length = length;
            row->Address = (ulong)entry.Address;
            row->IsShareable = isShareable ? 1 : 0;
            row->IsHost = kind == MemoryKind.Host ? 1 : 0;
            // Safe: the row has room for a handle.
            handle.ToBytes().CopyTo(new Span<byte>(row->Handle, IpcMemoryHandle.SizeInBytes));
            _entries[index] = entry;
            Volatile.Write(ref _entries[index].Key, key);
            Volatile.Write(ref row->Key, key);
            return new RegionKeys(key, key, row->Base);
        }
    }

    /// <exception cref="FabricException">It was not shown that nobody uses the memory any more. Calling again waits again.</exception>
    public void Unregister(ulong key)
    {
        int index = (int)(key & Segment.IndexMask);
        ulong revocation;
        lock (_lock)
        {
            ref Entry entry = ref _entries[index];
            if (_disposed || key == 0 || (entry.Key != key && entry.Revoked != key))
                return;
            if (entry.Revoked == 0)
            {
                entry.Revoked = key;
                Volatile.Write(ref entry.Key, 0);
                Volatile.Write(ref _segment.RowAt(index)->Key, 0);
                entry.Revocation = Interlocked.Increment(ref _segment.Header->Revocations);
            }

            revocation = entry.Revocation;
            // The NIC may be disposed while this waits: what it looks at stays mapped.
            _segment.Hold();
        }

        try
        {
            AwaitOwnStream();
            AwaitWriters(revocation);
        }
        finally
        {
            _segment.Release();
        }

        lock (_lock)
        {
            if (_disposed || _entries[index].Revoked != key)
                return;
            _entries[index].Close();
            _entries[index] = default;
            _free.Enqueue(index);
        }
    }

    /// <summary>Worker: where a region is for the device's stream. It may be gone by the time a batch is announced: see <see cref="IsKnown"/>.</summary>
    public bool TryFind(ulong key, out DeviceRange range)
    {
        ref Entry entry = ref _entries[key & Segment.IndexMask];
        range = default;
        if (!IsKnown(key))
            return false;
        range = new DeviceRange(entry.Address, (ulong)entry.HostAddress, entry.Length, entry.Pinned is not null);
        // An entry is filled before its key is published, and used again after the key was taken away.
        Interlocked.MemoryBarrier();
        return IsKnown(key);
    }

    /// <summary>Worker: true while a key is good. Once a batch is announced, whoever takes it away waits for the batch.</summary>
    public bool IsKnown(ulong key) => key != 0 && Volatile.Read(ref _entries[key & Segment.IndexMask].Key) == key;

    /// <summary>Revokes everything and lets go of it. Nobody uses it any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            for (int i = 1; i < _entries.Length; i++)
            {
                _segment.RowAt(i)->Key = 0;
                _entries[i].Close();
                _entries[i] = default;
            }
        }
    }

    private Entry Open(nint address, long length, MemoryKind kind, out IpcMemoryHandle handle, out bool isShareable)
    {
        var entry = new Entry { HostAddress = address, Address = address, Length = length };
        isShareable = false;
        handle = new IpcMemoryHandle { ProcessId = Environment.ProcessId, ProcessStart = ProcessIdentity.OwnStart, AllocationId = 0, Offset = 0, Length = length, Address = (ulong)address, Handle = new byte[64] };
        try
        {
            if (kind == MemoryKind.Host && _device.MemoryKind != MemoryKind.Host)
            {
                entry.Pinned = _device.MapHost(address, length);
                entry.Address = entry.Pinned.DeviceAddress;
                return entry;
            }

            entry.Wrapped = _device.WrapMemory(address, length);
        }
        catch (Exception exception) when (exception is GardenException or ArgumentException)
        {
            throw new FabricException($"The {length} bytes of {kind} memory at 0x{address:x} cannot be registered: {exception.Message}", innerException: exception);
        }

        try
        {
            handle = _device.ExportMemory(entry.Wrapped);
            isShareable = true;
        }
        catch (Exception exception) when (exception is CudaException or NotSupportedException)
        {
            // For peers of this process only; one of another process that writes to it is told so.
        }

        return entry;
    }

    /// <summary>Waits until nothing that this NIC posted reads the memory.</summary>
    private void AwaitOwnStream()
    {
        Interlocked.MemoryBarrier();
        ulong announced = Volatile.Read(ref _announced);
        long started = Stopwatch.GetTimestamp();
        var spin = default(SpinWait);
        while (_segment.Done < Math.Min(announced, Volatile.Read(ref _announced)))
        {
            if (Stopwatch.GetElapsedTime(started) > LinkDrain.Deadline)
                throw new FabricException($"Copies of this NIC were still running after {LinkDrain.Deadline}: its stream is held up, by a kernel that waits for something. The memory must not be used again.");
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private void AwaitWriters(ulong revocation)
    {
        for (int i = 0; i < _segment.LinkCount; i++)
        {
            LinkRow* link = _segment.LinkAt(i);
            LinkDrain.Await(link);
            if (!HasOpened(link, revocation))
                continue;
            SharedMemoryName writer = link->Writer;
            _wake(writer);
            // Each has the time to itself: one before it may have used up its own.
            long started = Stopwatch.GetTimestamp();
            var spin = default(SpinWait);
            while (HasOpened(link, revocation) && link->Writer == writer)
            {
                if (Stopwatch.GetElapsedTime(started) > s_letGo)
                    FenceSilent(link, writer);
                spin.SpinOnce();
            }
        }
    }

    private static bool HasOpened(LinkRow* link, ulong revocation) =>
        Volatile.Read(ref link->State) == (int)LinkState.Open && Volatile.Read(ref link->Closed) == 0 && Volatile.Read(ref link->Opened) != 0 && Volatile.Read(ref link->Acknowledged) < revocation;

    /// <summary>Fences who was waited for, and nobody who has the link since.</summary>
    private static void FenceSilent(LinkRow* link, SharedMemoryName writer)
    {
        if (link->Writer == writer && Interlocked.CompareExchange(ref link->State, (int)LinkState.Fenced, (int)LinkState.Open) == (int)LinkState.Open)
            LinkDrain.Await(link);
    }

    /// <summary>51 random bits and a one, so that it is never zero.</summary>
    private static ulong Random()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return (BitConverter.ToUInt64(bytes) >> Segment.IndexBits) | 1;
    }

    private struct Entry
    {
        public ulong Key;

        /// <summary>The key that was taken away, while somebody may still be using the memory.</summary>
        public ulong Revoked;

        /// <summary>How many revocations there were with this one.</summary>
        public ulong Revocation;

        /// <summary>The address it was registered by.</summary>
        public nint HostAddress;

        /// <summary>The same byte for the device.</summary>
        public nint Address;

        public long Length;
        public MappedBuffer? Pinned;
        public DeviceBuffer? Wrapped;

        public readonly void Close()
        {
            Pinned?.Dispose();
            Wrapped?.Dispose();
        }
    }
}
