namespace Garden.Kernels.Nvlink;

/// <summary>A NIC's own segment, its done flag pinned for the device.</summary>
internal sealed unsafe class OwnSegment : IDisposable
{
    private readonly SharedMemory _memory;
    private readonly MappedBuffer _done;

    public OwnSegment(KernelDevice device)
    {
        _memory = SharedMemory.Create(Segment.Length);
        try
        {
            Header->Device = device is CudaDevice cuda ? cuda.Number : -1;
            Header->Version = Segment.Version;
            Header->State = (int)SegmentState.Open;
            Volatile.Write(ref Header->Magic, Segment.Magic);
            _done = device.MapHost((nint)(_memory.Pointer + Segment.DonePage), Segment.PageBytes);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    public SharedMemoryName Name => _memory.Name;

    public SegmentHeader* Header => (SegmentHeader*)_memory.Pointer;

    /// <summary>Where the stream stores the batch that is done.</summary>
    public nint DoneAddress => _done.DeviceAddress;

    public ulong Done => Volatile.Read(ref Header->Done);

    /// <summary>Links that may be in use.</summary>
    public int LinkCount => Math.Clamp(Volatile.Read(ref Header->HighWater), 0, Segment.Links);

    public SegmentState State
    {
        get => (SegmentState)Header->State;
        set => Volatile.Write(ref Header->State, (int)value);
    }

    // Safe: both tables lie inside the segment for every index below their length, which callers keep to.
    public LinkRow* LinkAt(int index) => (LinkRow*)(_memory.Pointer + Segment.LinksAt + (index * Segment.LinkBytes));

    public RegionRow* RowAt(int index) => (RegionRow*)(_memory.Pointer + Segment.RegionsAt + (index * (long)RegionRow.SizeInBytes));

    /// <summary>Keeps the memory mapped until <see cref="Release"/>, also when the segment is disposed meanwhile.</summary>
    public void Hold()
    {
        bool held = false;
        _memory.DangerousAddRef(ref held);
    }

    public void Release() => _memory.DangerousRelease();

    public void Dispose()
    {
        _done.Dispose();
        _memory.Dispose();
    }
}
