namespace Garden.Kernels;

/// <summary>
/// Where kernels run: one CUDA device, or ILGPU's CPU accelerator. Chosen by the caller and never replaced by another.
/// Thread-safe; dispose what was made on it first.
/// </summary>
public abstract class KernelDevice : IDisposable
{
    private protected KernelDevice()
    {
    }

    /// <summary>The device's name.</summary>
    public abstract string Name { get; }

    /// <summary>Where the memory lives that <see cref="Allocate"/> gives: what it is registered as with an engine.</summary>
    public abstract MemoryKind MemoryKind { get; }

    /// <summary>Groups that run at the same time, at the least: one a multiprocessor.</summary>
    public abstract int Multiprocessors { get; }

    /// <summary>The most threads of a group.</summary>
    public abstract int MaxThreadsPerGroup { get; }

    /// <summary>Threads of a warp.</summary>
    public abstract int WarpSize { get; }

    /// <summary>Free and total memory of the device.</summary>
    public abstract DeviceMemoryInfo Memory { get; }

    /// <summary>A stream of its own that kernels of several operations may share.</summary>
    public abstract DeviceStream DefaultStream { get; }

    /// <summary>Opens CUDA device <paramref name="ordinal"/> in its primary context, which other users of the CUDA runtime in this process share.</summary>
    /// <exception cref="CudaException">No driver, no such device, or one that is too old; the message lists what is there.</exception>
    public static CudaDevice OpenCuda(int ordinal = 0) => new(CudaContext.RetainPrimary(CudaDriver.DeviceOf(ordinal)));

    /// <summary>Works in an existing CUDA context (a <c>CUcontext</c>, ILGPU's accelerator's <c>NativePtr</c> for one), which stays its owner's and must outlive the device.</summary>
    /// <exception cref="CudaException">No driver, or the context is not alive.</exception>
    public static CudaDevice AttachCuda(nint context)
    {
        ArgumentOutOfRangeException.ThrowIfZero(context);
        CudaDriver.Initialize();
        return new CudaDevice(CudaContext.Attach(context));
    }

    /// <summary>
    /// Opens ILGPU's CPU accelerator: the same kernels, executed by threads of this process, for development and tests
    /// without a GPU. A launch blocks its caller; device memory is host memory.
    /// </summary>
    /// <param name="multiprocessors">Groups that run at the same time.</param>
    /// <param name="threadsPerGroup">Threads of a group, a multiple of 4; each is a thread of this process while a kernel runs.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or the threads are no multiple of 4.</exception>
    public static CpuDevice OpenCpu(int multiprocessors = 1, int threadsPerGroup = 4)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(multiprocessors);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threadsPerGroup);
        if (threadsPerGroup % CpuDevice.ThreadsPerWarp != 0)
            throw new ArgumentOutOfRangeException(nameof(threadsPerGroup), threadsPerGroup, $"A group is whole warps of {CpuDevice.ThreadsPerWarp} threads.");
        return new CpuDevice(multiprocessors, threadsPerGroup);
    }

    /// <summary>Allocates memory on the device. It is not cleared.</summary>
    /// <param name="bytes">Length in bytes.</param>
    /// <param name="elementBytes">Bytes of the elements it will hold: kernels of layouts with other elements refuse it. 1 is raw bytes, for any layout.</param>
    /// <exception cref="CudaException">The device has not enough memory (<see cref="CudaException.IsOutOfMemory"/>).</exception>
    public abstract DeviceBuffer Allocate(long bytes, int elementBytes = 1);

    /// <summary>Allocates host memory that stays in place and that kernels reach as well: for flags and small results. It is cleared.</summary>
    /// <exception cref="CudaException">The memory could not be pinned.</exception>
    public abstract MappedBuffer AllocateMapped(long bytes);

    /// <summary>
    /// Makes existing host memory reachable for kernels of this device until the mapping is disposed. Memory may be pinned by several
    /// devices and more than once; what somebody else has pinned with the driver must stay so until the mapping is disposed.
    /// </summary>
    /// <exception cref="CudaException">The memory could not be pinned; the message says why.</exception>
    public abstract MappedBuffer MapHost(nint address, long bytes);

    /// <summary>
    /// Uses device memory of another owner (a tensor's data pointer, say), who keeps it alive until the buffer is disposed and
    /// everything that uses it has ended.
    /// </summary>
    /// <exception cref="ArgumentException">The range is not memory of this device, or is longer than its allocation.</exception>
    public abstract DeviceBuffer WrapMemory(nint address, long bytes, int elementBytes = 1);

    /// <summary>A name for a buffer that other processes of this host open with <see cref="ImportMemory"/>. Importers must let go of it before it is freed.</summary>
    /// <exception cref="ArgumentException">The buffer is on another device.</exception>
    /// <exception cref="CudaException">The memory cannot be shared (only what <c>cuMemAlloc</c> gave can).</exception>
    /// <exception cref="NotSupportedException">The CPU accelerator shares only what its <see cref="Allocate"/> gave, and only on Linux.</exception>
    public abstract IpcMemoryHandle ExportMemory(DeviceBuffer buffer);

    /// <summary>Opens memory that another process exported, for kernels and copies of this device. Memory of this process is used as it is, also another device's.</summary>
    /// <exception cref="GardenException">The exporting process has ended, or its memory cannot be opened or reached; the message says which.</exception>
    public abstract DeviceBuffer ImportMemory(IpcMemoryHandle handle, int elementBytes = 1);

    /// <summary>Creates a stream: what is put on it runs in order.</summary>
    public abstract DeviceStream CreateStream();

    /// <summary>A stream whose work is begun before that of others that wait for room on the device.</summary>
    internal virtual DeviceStream CreateUrgentStream() => CreateStream();

    /// <summary>Uses a stream of another owner: a <c>CUstream</c>, PyTorch's <c>cuda_stream</c> for one.</summary>
    /// <exception cref="NotSupportedException">The device has no foreign streams.</exception>
    /// <exception cref="CudaException">The stream belongs to another context.</exception>
    public abstract DeviceStream WrapStream(nint stream);

    /// <summary>Creates an event.</summary>
    /// <param name="timing">True to measure times between events.</param>
    public abstract DeviceEvent CreateEvent(bool timing = false);

    /// <summary>Uses an event of another owner: a <c>CUevent</c>.</summary>
    /// <exception cref="NotSupportedException">The device has no foreign events.</exception>
    public abstract DeviceEvent WrapEvent(nint foreign);

    /// <summary>
    /// Compiles a kernel and loads it: a static method that takes one blittable public struct. Load before waiting kernels are
    /// resident: loading synchronises the device.
    /// </summary>
    /// <exception cref="KernelCompilationException">ILGPU or the driver refused the kernel; the message has their reason.</exception>
    public abstract DeviceKernel<TArgs> Load<TArgs>(Action<TArgs> kernel)
        where TArgs : unmanaged;

    /// <summary>Waits until everything on the device has ended.</summary>
    public abstract void Synchronize();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Requires the process that exported a handle to be the one that made it.</summary>
    private protected static void RequireAlive(IpcMemoryHandle handle)
    {
        ulong? start = handle.ProcessId == Environment.ProcessId ? ProcessIdentity.OwnStart : ProcessIdentity.StartOf(handle.ProcessId);
        if (start != handle.ProcessStart)
            throw new CudaException($"The process {handle.ProcessId} that exported {handle.Length} bytes of device memory {(start is null ? "has ended" : "has ended, and its id was given to another")}; ask its successor for a new handle.");
    }

    private protected void RequireOwn(DeviceBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (!ReferenceEquals(buffer.Device, this))
            throw new ArgumentException($"The buffer is on {buffer.Device.Name}, not on {Name}; export it from its own device.", nameof(buffer));
    }

    /// <summary>Gives the device back.</summary>
    protected abstract void Dispose(bool disposing);
}
