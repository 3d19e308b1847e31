using System.Runtime.InteropServices;

namespace Garden.Kernels;

/// <summary>
/// Writes with raw addresses, resolved from <see cref="WriteDescriptor"/>s and executed by one kernel: what a NIC does with a
/// plan's descriptors, between memories that one device reaches (its own, a peer's, another process's). Not thread-safe. Immediates
/// are not delivered.
/// </summary>
public sealed unsafe class DeviceWriteList : IDisposable
{
    /// <summary>Longer writes are cut, so that one among many short ones is not what all wait for.</summary>
    public const int MostWriteBytes = WriteShape.MostBytes;

    private const int Batch = 64;

    /// <summary>Groups beyond those that run at once: 16 times as many were the fastest for 256-byte writes on an H100, where one write a set of lanes loses the early load of the next.</summary>
    private const int Waves = 16;

    private readonly DeviceKernel<ExecuteWritesArgs> _kernel;
    private readonly Dictionary<RegionHandle, (nint Address, long Length)> _regions = [];
    private MappedBuffer _staging;
    private DeviceBuffer? _uploaded;
    private bool _isUploaded;
    private int _capacity;
    private long _bytes;
    private long _longest;

    /// <summary>Loads the kernel and allocates room for so many pieces; the list grows when it is full.</summary>
    /// <exception cref="KernelCompilationException">The kernel could not be compiled.</exception>
    /// <exception cref="CudaException">The memory could not be allocated.</exception>
    public DeviceWriteList(KernelDevice device, int capacity = 4096)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        Device = device;
        _capacity = capacity;
        _kernel = device.Load<ExecuteWritesArgs>(ExecuteWrites.Run);
        _staging = device.AllocateMapped((long)capacity * sizeof(DeviceWrite));
    }

    /// <summary>The device whose kernel executes the list.</summary>
    public KernelDevice Device { get; }

    /// <summary>Pieces in the list.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes the list copies.</summary>
    public long Bytes => _bytes;

    /// <summary>What a thread of the kernel needs.</summary>
    public KernelResources Resources => _kernel.Resources;

    /// <summary>Says where a region's memory is for this device: descriptors that name it resolve to addresses from there on.</summary>
    public void MapRegion(RegionHandle region, nint address, long length)
    {
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        _regions[region] = (address, length);
    }

    /// <summary>Adds a write between raw addresses that the device reaches. The ranges must not overlap.</summary>
    public void Add(nint source, nint destination, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        // Cut at multiples of 16 of the source, so that every piece but the first begins aligned.
        long piece = MostWriteBytes - (source & 15);
        for (long at = 0; at < length; at += piece, piece = MostWriteBytes)
        {
            piece = Math.Min(piece, length - at);
            if (Count == _capacity)
                Grow();
            // Safe: Count is below the capacity the staging memory has room for.
            ((DeviceWrite*)_staging.Pointer)[Count++] = new DeviceWrite { Source = (ulong)(source + (nint)at), Destination = (ulong)(destination + (nint)at), Length = piece };
        }

        _isUploaded = false;
        _bytes += length;
        _longest = Math.Max(_longest, Math.Min(length + (source & 15), MostWriteBytes));
    }

    /// <summary>Adds what descriptors say. Nothing is added when one is refused.</summary>
    /// <exception cref="PlanException">A region is not mapped, or a range lies outside it; the message has the values.</exception>
    public void Add(ReadOnlySpan<WriteDescriptor> descriptors)
    {
        foreach (ref readonly WriteDescriptor descriptor in descriptors)
        {
            if (descriptor.Length == 0)
                continue;
            Resolve(descriptor.Source, descriptor.SourceOffset, descriptor.Length, "source");
            Resolve(descriptor.Destination, descriptor.DestinationOffset, descriptor.Length, "destination");
        }

        foreach (ref readonly WriteDescriptor descriptor in descriptors)
        {
            if (descriptor.Length != 0)
                Add(Resolve(descriptor.Source, descriptor.SourceOffset, descriptor.Length, "source"), Resolve(descriptor.Destination, descriptor.DestinationOffset, descriptor.Length, "destination"), descriptor.Length);
        }
    }

    /// <summary>Expands a plan and adds all of it; the list is as before when the plan is refused.</summary>
    /// <exception cref="PlanException">A region is not mapped, or a range lies outside it; the message has the values.</exception>
    public void Add<TPlan>(in TPlan plan)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        (int count, long bytes, long longest) = (Count, _bytes, _longest);
        Span<WriteDescriptor> descriptors = stackalloc WriteDescriptor[Batch];
        PlanCursor cursor = default;
        try
        {
            while (!cursor.IsCompleted)
                Add(descriptors[..TPlan.Expand(in plan, ref cursor, descriptors)]);
        }
        catch
        {
            (Count, _bytes, _longest) = (count, bytes, longest);
            throw;
        }
    }

    /// <summary>Empties the list; mapped regions stay.</summary>
    public void Clear()
    {
        Count = 0;
        _bytes = _longest = 0;
        _isUploaded = false;
    }

    /// <summary>
    /// Puts a copy of the list to the device on a stream. Executions behind it read that copy, until the list is changed: worth it for a list of short
    /// writes that is executed more than once. Otherwise the kernel reads the list in host memory, 24 bytes a write over the bus.
    /// </summary>
    /// <exception cref="CudaException">The memory could not be allocated.</exception>
    public void Upload(DeviceStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (Count == 0)
            return;
        long bytes = (long)Count * sizeof(DeviceWrite);
        if (_uploaded is null || _uploaded.Length < bytes)
        {
            _uploaded?.Dispose();
            _uploaded = null;
            _uploaded = Device.Allocate((long)_capacity * sizeof(DeviceWrite));
        }

        stream.Copy(_uploaded.Address, _staging.DeviceAddress, bytes);
        _isUploaded = true;
    }

    /// <summary>Puts the list's execution on a stream. The list must not be changed until the stream has passed it.</summary>
    /// <param name="stream">Where to put it.</param>
    /// <param name="lanes">Threads that share a piece, a power of two up to the group's threads; 0 chooses by the mean length.</param>
    public void Execute(DeviceStream stream, int lanes = 0)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (Count == 0)
            return;
        var shape = WriteShape.For(_kernel, Count, _bytes, _longest, lanes, Waves);
        _kernel.Launch(stream, shape.Launch, new ExecuteWritesArgs
        {
            Writes = (ulong)(_isUploaded ? _uploaded!.Address : _staging.DeviceAddress),
            Count = Count,
            Pieces = shape.Pieces,
            PieceBytes = shape.PieceBytes,
            Lanes = shape.Lanes,
            // The CPU accelerator reads any memory as fast, and takes long for a barrier.
            IsStaged = !_isUploaded && Device is not CpuDevice && shape.Lanes >= ExecuteWrites.LeastStagedLanes ? 1 : 0,
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _kernel.Dispose();
        _staging.Dispose();
        _uploaded?.Dispose();
    }

    private nint Resolve(RegionHandle region, long offset, long length, string side)
    {
        if (!_regions.TryGetValue(region, out (nint Address, long Length) memory))
            throw new PlanException($"The {side} {region} is not mapped for {Device.Name}; call MapRegion with its address first.");
        if (offset < 0 || length < 0 || offset > memory.Length - length)
            throw new PlanException($"The {side} range [{offset}, {offset} + {length}) lies outside {region}, which has {memory.Length} bytes; correct the offset or the length.");
        return memory.Address + (nint)offset;
    }

    private void Grow()
    {
        int capacity = checked(_capacity * 2);
        MappedBuffer staging = Device.AllocateMapped((long)capacity * sizeof(DeviceWrite));
        // Safe: both have room for Count entries.
        Buffer.MemoryCopy(_staging.Pointer, staging.Pointer, (long)capacity * sizeof(DeviceWrite), (long)Count * sizeof(DeviceWrite));
        _staging.Dispose();
        (_staging, _capacity) = (staging, capacity);
    }
}
