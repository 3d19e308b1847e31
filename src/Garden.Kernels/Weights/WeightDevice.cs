using Garden.Weights;

namespace Garden.Kernels.Weights;

/// <summary>
/// A GPU, or the CPU accelerator, on which weight updates are packed and converted in its own memory: for <see cref="WeightSenderOptions.Device"/>
/// and <see cref="WeightReceiverOptions.Device"/>. Dispose it after the ranks that use it.
/// </summary>
public sealed class WeightDevice : IWeightDevice, IDisposable
{
    private const int Granule = 16;

    /// <summary>Compiles and loads the kernels.</summary>
    /// <exception cref="KernelCompilationException">They could not be compiled.</exception>
    public WeightDevice(KernelDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        Conversion = new Float8BlockKernel(device);
        try
        {
            Copies = new CopyKernels<WeightRowsMap, WeightRowsArgs>(device, Granule);
        }
        catch
        {
            Conversion.Dispose();
            throw;
        }
    }

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <inheritdoc/>
    public MemoryKind Kind => Device.MemoryKind;

    /// <summary>Its conversion.</summary>
    public Float8BlockKernel Conversion { get; }

    internal CopyKernels<WeightRowsMap, WeightRowsArgs> Copies { get; }

    /// <inheritdoc/>
    public IWeightMemory Allocate(long bytes) => new Memory(Device.Allocate(bytes));

    /// <inheritdoc/>
    public IWeightQueue CreateQueue() => new WeightDeviceQueue(this);

    /// <inheritdoc/>
    public void Dispose()
    {
        Conversion.Dispose();
        Copies.Dispose();
    }

    private sealed class Memory(DeviceBuffer buffer) : IWeightMemory
    {
        public nint Address => buffer.Address;

        public long Length => buffer.Length;

        public void Dispose() => buffer.Dispose();
    }
}
