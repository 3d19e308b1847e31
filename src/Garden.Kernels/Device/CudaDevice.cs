using System.Runtime.CompilerServices;
using Garden.Kernels.Compilation;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>A CUDA device in one context. Compiled by ILGPU; memory, streams, launches and graphs are the driver's.</summary>
public sealed partial class CudaDevice : KernelDevice
{
    private const int OldestMajor = 7;
    private readonly CudaStream _defaultStream;

    /// <summary>Devices whose memory was made reachable, by their contexts.</summary>
    private readonly ConditionalWeakTable<CudaContext, object?> _peers = [];
    private bool _disposed;

    internal CudaDevice(CudaContext context)
    {
        Context = context;
        Number = context.Device;
        Name = CudaDriver.NameOf(Number);
        (int major, int minor) = ComputeCapability = (Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR), Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
        if (major < OldestMajor || Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING) == 0 || Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY) == 0)
        {
            context.Dispose();
            throw new CudaException($"{Name} has compute capability {major}.{minor}; Garden's kernels need {OldestMajor}.0 (Volta) with unified addressing and mapped host memory.");
        }

        Multiprocessors = Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        MaxThreadsPerGroup = Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
        _defaultStream = CudaStream.Create(this);
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override MemoryKind MemoryKind => MemoryKind.Cuda;

    /// <inheritdoc/>
    public override int Multiprocessors { get; }

    /// <inheritdoc/>
    public override int MaxThreadsPerGroup { get; }

    /// <inheritdoc/>
    public override int WarpSize => 32;

    /// <summary>Compute capability, (9, 0) for Hopper.</summary>
    public (int Major, int Minor) ComputeCapability { get; }

    /// <inheritdoc/>
    public override DeviceMemoryInfo Memory
    {
        get
        {
            using CudaContext.Scope scope = Context.Enter();
            LibCuda.Check(LibCuda.cuMemGetInfo(out nuint free, out nuint total));
            return new DeviceMemoryInfo((long)free, (long)total);
        }
    }

    /// <inheritdoc/>
    public override DeviceStream DefaultStream => _defaultStream;

    internal CudaContext Context { get; }

    internal int Number { get; }

    /// <inheritdoc/>
    public override DeviceBuffer Allocate(long bytes, int elementBytes = 1) => CudaBuffer.Allocate(this, bytes, elementBytes);

    /// <inheritdoc/>
    public override MappedBuffer AllocateMapped(long bytes) => CudaMappedBuffer.Allocate(this, bytes);

    /// <inheritdoc/>
    public override MappedBuffer MapHost(nint address, long bytes) => CudaHostMapping.Create(this, address, bytes);

    /// <inheritdoc/>
    public override DeviceBuffer WrapMemory(nint address, long bytes, int elementBytes = 1) => CudaBuffer.Wrap(this, address, bytes, elementBytes);

    /// <inheritdoc/>
    public override DeviceStream CreateStream() => CudaStream.Create(this);

    internal override DeviceStream CreateUrgentStream() => CudaStream.Create(this, isUrgent: true);

    /// <inheritdoc/>
    public override DeviceStream WrapStream(nint stream) => CudaStream.Wrap(this, stream);

    /// <inheritdoc/>
    public override DeviceEvent CreateEvent(bool timing = false) => CudaEvent.Create(this, timing);

    /// <inheritdoc/>
    public override DeviceEvent WrapEvent(nint foreign) => CudaEvent.Wrap(this, foreign);

    /// <inheritdoc/>
    public override DeviceKernel<TArgs> Load<TArgs>(Action<TArgs> kernel) => CudaKernel<TArgs>.Load(this, PtxCompiler.Compile(kernel, ComputeCapability));

    /// <summary>True when kernels and copies of this device reach the other's memory directly.</summary>
    public bool CanReach(CudaDevice other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Number == Number || _peers.TryGetValue(other.Context, out _))
            return true;
        LibCuda.Check(LibCuda.cuDeviceCanAccessPeer(out int can, Number, other.Number));
        return can != 0;
    }

    /// <summary>Lets kernels of this device use addresses of the other device's memory, all of it, also what is allocated later. Idempotent.</summary>
    /// <exception cref="CudaException">The devices are not linked.</exception>
    public void EnablePeer(CudaDevice other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (_peers.TryGetValue(other.Context, out _))
            return;
        EnablePeer(other.Number, other.Context.DangerousGetHandle());
        _peers.AddOrUpdate(other.Context, null);
    }

    /// <inheritdoc/>
    public override void Synchronize()
    {
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuCtxSynchronize());
    }

    /// <summary>Lets kernels and copies of this device reach memory of a context of another device.</summary>
    internal void EnablePeer(int number, nint peer)
    {
        if (number == Number)
            return;
        LibCuda.Check(LibCuda.cuDeviceCanAccessPeer(out int can, Number, number));
        if (can == 0)
            throw new CudaException($"{Name} ({Number}) cannot reach the memory of {CudaDriver.NameOf(number)} ({number}): the devices are not linked. See `nvidia-smi topo -m`.");
        using CudaContext.Scope scope = Context.Enter();
        CUresult result = LibCuda.cuCtxEnablePeerAccess(peer, 0);
        if (result != CUresult.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED)
            LibCuda.Check(result, nameof(LibCuda.cuCtxEnablePeerAccess));
    }

    internal int Attribute(CUdevice_attribute attribute) => CudaDriver.AttributeOf(Number, attribute);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        _disposed = true;
        _defaultStream.Dispose();
        Context.Dispose();
    }
}
