using Garden.Kernels.Compilation;
using ILGPU;
using ILGPU.Runtime.CPU;

namespace Garden.Kernels;

/// <summary>ILGPU's CPU accelerator: its memory is host memory, a launch blocks its caller.</summary>
public sealed class CpuDevice : KernelDevice
{
    internal const int ThreadsPerWarp = 4;
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

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        _disposed = true;
        Accelerator.Dispose();
        _context.Dispose();
    }

    private static NotSupportedException Foreign(string what) =>
        new($"The CPU accelerator has no foreign {what}s; open a CUDA device with KernelDevice.OpenCuda.");
}
