using System.Net;

namespace Garden.Kernels.Nvlink;

/// <summary>Another NIC as this one's worker sees it: its segment, and where its regions are for this NIC's device.</summary>
internal sealed unsafe class NvlinkPeer : IDisposable
{
    /// <summary>A region of another process whose memory cannot be opened: host memory, or device memory without a handle.</summary>
    public const int NotShareable = -1;

    private readonly KernelDevice _device;
    private readonly bool _mapsOwnProcess;
    private readonly SharedMemory? _memory;
    private readonly ProcessWatch? _process;
    private Region[] _regions = new Region[16];
    private bool _hasRefusals;
    private int _opened;
    private ulong _acknowledged;

    public NvlinkPeer(KernelDevice device, SharedMemoryName name, bool mapsOwnProcess)
    {
        _device = device;
        _mapsOwnProcess = mapsOwnProcess;
        Name = name;
        IsOwnProcess = name.Process == Environment.ProcessId && name.Start == ProcessIdentity.OwnStart;
        Wake = WakeSocket.AddressOf(name);
        if (!IsOwnProcess && (_process = TryWatch(name)) is null)
            return;
        _memory = TryOpen(name);
    }

    public SharedMemoryName Name { get; }

    public bool IsOwnProcess { get; }

    /// <summary>What wakes its worker.</summary>
    public SocketAddress Wake { get; }

    public List<NvlinkRoute> Routes { get; } = [];

    /// <summary>True while its process runs and its NIC is up.</summary>
    public bool IsUp => !HasEnded && _memory is not null && Volatile.Read(ref Header->State) == (int)SegmentState.Open;

    /// <summary>True once its process was found dead.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>True when this call has given it something, so that it has to be woken when it is parked.</summary>
    public bool WakePending { get; set; }

    // Safe: a peer without memory is not up, and then nothing asks for its header.
    public SegmentHeader* Header => (SegmentHeader*)_memory!.Pointer;

    public LinkRow* LinkAt(int index) => (LinkRow*)(_memory!.Pointer + Segment.LinksAt + (index * Segment.LinkBytes));

    /// <summary>Claims and opens a link at the peer; −1 when the peer is down or has none left.</summary>
    public int OpenLink(SharedMemoryName writer)
    {
        if (!IsUp)
            return -1;
        for (int i = 0; i < Segment.Links; i++)
        {
            LinkRow* link = LinkAt(i);
            if (Volatile.Read(ref link->Owner) != 0 || Interlocked.CompareExchange(ref link->Owner, ((long)writer.Process << 1) | 1, 0) != 0)
                continue;
            (link->WriterProcess, link->WriterStart, link->WriterDescriptor, link->WriterId) = (writer.Process, writer.Start, writer.Descriptor, writer.Id);
            (link->Opened, link->Acknowledged) = (_opened, _acknowledged);
            Volatile.Write(ref link->State, (int)LinkState.Open);
            int high = Volatile.Read(ref Header->HighWater);
            while (high <= i && Interlocked.CompareExchange(ref Header->HighWater, i + 1, high) != high)
                high = Volatile.Read(ref Header->HighWater);
            return i;
        }

        return -1;
    }

    /// <summary>Where one of its regions is for this NIC's device. It may be gone by the time a batch is announced: see <see cref="TryUse"/>.</summary>
    public bool TryFind(ulong key, out DeviceRange range, out int code)
    {
        int index = (int)(key & Segment.IndexMask);
        code = 0;
        range = default;
        if (key == 0 || ((index >= _regions.Length || _regions[index].Key != key) && !TryOpen(index, key, out code)) || Volatile.Read(ref RowAt(index)->Key) != key)
            return false;
        ref Region region = ref _regions[index];
        if ((code = region.Refusal) != 0)
            return false;
        range = new DeviceRange(region.Address, region.Base, region.Length, region.IsPinned);
        return true;
    }

    /// <summary>True when a key that was found is still good for an announced batch, which has the region until it is done.</summary>
    public bool TryUse(ulong key, ulong batch)
    {
        int index = (int)(key & Segment.IndexMask);
        if (index >= _regions.Length || _regions[index].Key != key || Volatile.Read(ref RowAt(index)->Key) != key)
            return false;
        _regions[index].LastBatch = batch;
        return true;
    }

    /// <summary>Lets go of what the peer has revoked and no batch behind <paramref name="done"/> copies to, and says so once nothing is left.</summary>
    public void LetGo(ulong done)
    {
        ulong revocations = Volatile.Read(ref Header->Revocations);
        bool isLeft = false;
        for (int i = 0; i < _regions.Length; i++)
        {
            if (_regions[i].Key == 0 || Volatile.Read(ref RowAt(i)->Key) == _regions[i].Key)
                continue;
            if (_regions[i].LastBatch > done)
                isLeft = true;
            else
                Close(i);
        }

        if (isLeft)
            return;
        _acknowledged = revocations;
        Tell();
    }

    /// <summary>True when the peer has revoked something since this NIC last let go.</summary>
    public bool HasRevoked => _memory is not null && Volatile.Read(ref Header->Revocations) != _acknowledged;

    /// <summary>Looks whether the process still runs, and lets what could not be opened be tried again.</summary>
    public void Check()
    {
        HasEnded = HasEnded || _process is { IsAlive: false };
        if (!_hasRefusals)
            return;
        _hasRefusals = false;
        foreach (ref Region region in _regions.AsSpan())
        {
            if (region.Refusal != 0)
                region = default;
        }
    }

    public void Dispose()
    {
        for (int i = 0; i < _regions.Length; i++)
            Close(i);
        _memory?.Dispose();
        _process?.Dispose();
    }

    /// <summary>The peer's segment; null when it is gone, cannot be opened here or has another layout. Its routes are down then.</summary>
    private static SharedMemory? TryOpen(SharedMemoryName name)
    {
        try
        {
            SharedMemory? memory = SharedMemory.Open(name, Segment.Length);
            if (memory is null)
                return null;
            var header = (SegmentHeader*)memory.Pointer;
            if (header->Magic == Segment.Magic && header->Version == Segment.Version)
                return memory;
            memory.Dispose();
            return null;
        }
        catch (FabricException)
        {
            return null;
        }
    }

    private static ProcessWatch? TryWatch(SharedMemoryName name)
    {
        try
        {
            return ProcessWatch.TryOpen(name.Process, name.Start);
        }
        catch (FabricException)
        {
            return null;
        }
    }

    private RegionRow* RowAt(int index) => (RegionRow*)(_memory!.Pointer + Segment.RegionsAt + (index * (long)RegionRow.SizeInBytes));

    private bool TryOpen(int index, ulong key, out int code)
    {
        code = 0;
        if (index >= _regions.Length)
            Array.Resize(ref _regions, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)index + 1));
        Close(index);
        RegionRow* row = RowAt(index);
        if (Volatile.Read(ref row->Key) != key)
            return false;
        var region = new Region { Key = key, Base = row->Base, Length = row->Length, Address = (nint)row->Address };
        bool isShareable = row->IsShareable != 0, isHost = row->IsHost != 0;
        region.IsPinned = isHost && _device.MemoryKind != MemoryKind.Host;
        // Safe: the row holds a handle of this size.
        byte[] handle = new ReadOnlySpan<byte>(row->Handle, IpcMemoryHandle.SizeInBytes).ToArray();
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref row->Key) != key)
            return false;
        if (!IsOwnProcess && !isShareable)
        {
            code = NotShareable;
            return false;
        }

        // Pinned memory has one address for all devices of a process, and plain memory for all its threads.
        if (IsOwnProcess && isHost && !(_mapsOwnProcess && isShareable))
        {
            _regions[index] = region;
            return true;
        }

        // Told before the key is looked at again: the peer waits for whoever has opened something. In one process nothing is opened.
        region.IsCounted = !IsOwnProcess || _mapsOwnProcess;
        Count(ref region, 1);
        Interlocked.MemoryBarrier();
        try
        {
            region.Mapping = Map(IpcMemoryHandle.Parse(handle));
            region.Address = region.Mapping.Address;
            _regions[index] = region;
            return true;
        }
        catch (Exception exception) when (exception is GardenException or ArgumentException)
        {
            Count(ref region, -1);
            // Not asked again for each write of a batch: the driver takes its time to refuse.
            region.Refusal = (exception as CudaException)?.Code is { } driver and not 0 ? driver : NotShareable;
            region.IsCounted = false;
            _regions[index] = region;
            _hasRefusals = true;
            code = region.Refusal;
            return false;
        }
    }

    private DeviceBuffer Map(IpcMemoryHandle handle) =>
        _mapsOwnProcess && _device is CpuDevice cpu ? cpu.MapMemory(handle) : _device.ImportMemory(handle);

    private void Close(int index)
    {
        if (_regions[index].Mapping is { } mapping)
        {
            mapping.Dispose();
            Count(ref _regions[index], -1);
        }

        _regions[index] = default;
    }

    private void Count(ref Region region, int by)
    {
        if (!region.IsCounted)
            return;
        _opened += by;
        Tell();
    }

    private void Tell()
    {
        foreach (NvlinkRoute route in Routes)
        {
            if (route.Link is null)
                continue;
            Volatile.Write(ref route.Link->Opened, _opened);
            Volatile.Write(ref route.Link->Acknowledged, _acknowledged);
        }
    }

    private struct Region
    {
        public ulong Key;
        public ulong Base;
        public long Length;

        /// <summary>The first byte for this NIC's device.</summary>
        public nint Address;

        public DeviceBuffer? Mapping;

        /// <summary>The last batch that copies to it.</summary>
        public ulong LastBatch;

        /// <summary>Why it could not be opened, 0 when it was.</summary>
        public int Refusal;

        /// <summary>True for host memory on a GPU.</summary>
        public bool IsPinned;

        /// <summary>True when it counts among what this NIC has opened.</summary>
        public bool IsCounted;
    }
}
