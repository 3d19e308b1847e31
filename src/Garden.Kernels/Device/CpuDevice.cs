using System.Buffers.Binary;
using Garden.Kernels.Compilation;
using ILGPU;
using ILGPU.Runtime.CPU;

namespace Garden.Kernels;

/// <summary>ILGPU's CPU accelerator: its memory is host memory, a launch blocks its caller.</summary>
public sealed class CpuDevice : KernelDevice
{
    internal const int WarpShift = 2;
    internal const int ThreadsPerWarp = 1 << WarpShift;
    private readonly Context _context;
    private readonly CpuStream _defaultStream;
    private bool _disposed;

    internal CpuDevice(int multiprocessors, int threadsPerGroup)
    {
        var description = new CPUDevice(ThreadsPerWarp, threadsPerGroup / ThreadsPerWarp, multiprocessors);
        _context = Context.Create(builder => builder.CPU(description));
        Accelerator = _context.CreateCPUAccelerator(0);
        Multiprocessors = multiprocessors;
        MaxThreadsPerGroup = threadsPerGroup;
        _defaultStream = new CpuStream(this);
    }

    /// <inheritdoc/>
    public override string Name => $"ILGPU CPU accelerator, {Multiprocessors} x {MaxThreadsPerGroup} threads";

    /// <inheritdoc/>
    public override MemoryKind MemoryKind => MemoryKind.Host;

    /// <inheritdoc/>
    public override int Multiprocessors { get; }

    /// <inheritdoc/>
    public override int MaxThreadsPerGroup { get; }

    /// <inheritdoc/>
    public override int WarpSize => ThreadsPerWarp;

    /// <inheritdoc/>
    public override DeviceMemoryInfo Memory
    {
        get
        {
            GCMemoryInfo memory = GC.GetGCMemoryInfo();
            return new DeviceMemoryInfo(Math.Max(0, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes), memory.TotalAvailableMemoryBytes);
        }
    }

    /// <inheritdoc/>
    public override DeviceStream DefaultStream => _defaultStream;

    internal CPUAccelerator Accelerator { get; }

    /// <inheritdoc/>
    public override DeviceBuffer Allocate(long bytes, int elementBytes = 1) => CpuBuffer.Allocate(this, bytes, elementBytes);

    /// <inheritdoc/>
    public override MappedBuffer AllocateMapped(long bytes) => CpuMappedBuffer.Allocate(bytes);

    /// <inheritdoc/>
    public override MappedBuffer MapHost(nint address, long bytes) => CpuMappedBuffer.Wrap(address, bytes);

    /// <inheritdoc/>
    public override DeviceBuffer WrapMemory(nint address, long bytes, int elementBytes = 1) => CpuBuffer.Wrap(this, address, bytes, elementBytes);

    /// <inheritdoc/>
    public override IpcMemoryHandle ExportMemory(DeviceBuffer buffer)
    {
        RequireOwn(buffer);
        CpuAllocation allocation = CpuAllocation.Find(buffer.Address, buffer.Length)
            ?? throw new NotSupportedException($"The {buffer.Length} bytes at 0x{buffer.Address:x} cannot be shared with other processes: on the CPU accelerator only what its Allocate gave can, on Linux.");
        SharedMemoryName name = allocation.Memory.Name;
        return new IpcMemoryHandle
        {
            ProcessId = name.Process,
            ProcessStart = name.Start,
            AllocationId = name.Id,
            Offset = buffer.Address - allocation.Address,
            Length = buffer.Length,
            Address = (ulong)buffer.Address,
            Handle = HandleOf(name.Descriptor, allocation.Memory.Length),
        };
    }

    /// <inheritdoc/>
    public override DeviceBuffer ImportMemory(IpcMemoryHandle handle, int elementBytes = 1)
    {
        ArgumentNullException.ThrowIfNull(handle);
        return handle.ProcessId == Environment.ProcessId && handle.ProcessStart == ProcessIdentity.OwnStart
            ? WrapMemory((nint)handle.Address, handle.Length, elementBytes)
            : MapMemory(handle, elementBytes);
    }

    /// <inheritdoc/>
    public override DeviceStream CreateStream() => new CpuStream(this);

    /// <inheritdoc/>
    public override DeviceStream WrapStream(nint stream) => throw Foreign("stream");

    /// <inheritdoc/>
    public override DeviceEvent CreateEvent(bool timing = false) => new CpuEvent(timing);

    /// <inheritdoc/>
    public override DeviceEvent WrapEvent(nint foreign) => throw Foreign("event");

    /// <inheritdoc/>
    public override DeviceKernel<TArgs> Load<TArgs>(Action<TArgs> kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ObjectDisposedException.ThrowIf(_disposed, this);
        string name = PtxCompiler.NameOf(kernel.Method);
        try
        {
            return new CpuKernel<TArgs>(this, name, kernel);
        }
        catch (Exception exception)
        {
            throw new KernelCompilationException($"ILGPU could not compile {name}: {exception.Message} Open a new device: a failed compilation ruins this one.", exception);
        }
    }

    /// <inheritdoc/>
    public override void Synchronize() => Accelerator.Synchronize();

    /// <summary>Maps a handle's memory at a place of its own, whosever it is.</summary>
    internal DeviceBuffer MapMemory(IpcMemoryHandle handle, int elementBytes = 1)
    {
        RequireAlive(handle);
        int descriptor = BinaryPrimitives.ReadInt32LittleEndian(handle.Handle.Span);
        long length = BinaryPrimitives.ReadInt64LittleEndian(handle.Handle.Span[8..]);
        if (length <= 0 || handle.Offset > length - handle.Length)
            throw new DescriptorException($"The handle of process {handle.ProcessId} names [{handle.Offset}, {handle.Offset} + {handle.Length}) of an allocation of {length} bytes; ask for a new handle.");
        SharedMemory mapping = SharedMemory.Open(new SharedMemoryName(handle.ProcessId, handle.ProcessStart, descriptor, handle.AllocationId), length)
            ?? throw new FabricException($"The process {handle.ProcessId} has freed the {handle.Length} bytes it exported; ask it for a new handle.");
        try
        {
            return CpuBuffer.OfMapping(this, mapping, handle.Offset, handle.Length, elementBytes);
        }
        catch
        {
            mapping.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        _disposed = true;
        Accelerator.Dispose();
        _context.Dispose();
    }

    private static byte[] HandleOf(int descriptor, long length)
    {
        var handle = new byte[64];
        BinaryPrimitives.WriteInt32LittleEndian(handle, descriptor);
        BinaryPrimitives.WriteInt64LittleEndian(handle.AsSpan(8), length);
        return handle;
    }

    private static NotSupportedException Foreign(string what) =>
        new($"The CPU accelerator has no foreign {what}s; open a CUDA device with KernelDevice.OpenCuda.");
}
