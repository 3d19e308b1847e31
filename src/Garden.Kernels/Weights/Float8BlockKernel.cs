using Garden.Weights;

namespace Garden.Kernels.Weights;

/// <summary>
/// The conversion of <see cref="WeightConversion.Float8Block128"/>, loaded on one device: bfloat16 to FP8 e4m3 and one float32 scale for each
/// block of 128 × 128, with the same bits as <see cref="Float8Blocks"/>. Calls allocate nothing on a CUDA device.
/// </summary>
public sealed class Float8BlockKernel : IDisposable
{
    private const int MaxGridRows = 65535;
    private readonly DeviceKernel<Float8ConvertArgs> _kernel;

    /// <summary>Compiles and loads the conversion.</summary>
    /// <exception cref="KernelCompilationException">It could not be compiled.</exception>
    public Float8BlockKernel(KernelDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        _kernel = device.Load<Float8ConvertArgs>(Float8Convert.Run);
    }

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <summary>What a thread of the kernel needs.</summary>
    public KernelResources Resources => _kernel.Resources;

    /// <summary>Converts matrices of one shape that lie one behind the other, such as the experts of a layer; many small ones are faster together.</summary>
    /// <param name="stream">Where to put the conversion.</param>
    /// <param name="source">Has the bfloat16 elements, row-major without gaps.</param>
    /// <param name="sourceOffset">Byte offset of the first one, a multiple of 2; of 16 for the fast path, and columns of 8.</param>
    /// <param name="rows">Rows, 1 to 2³¹ − 1.</param>
    /// <param name="columns">Columns, 1 to 2³¹ − 1.</param>
    /// <param name="destination">Takes the e4m3 elements, a byte each.</param>
    /// <param name="destinationOffset">Byte offset of the first one.</param>
    /// <param name="scales">Takes ⌈rows / 128⌉ × ⌈columns / 128⌉ scales of 4 bytes.</param>
    /// <param name="scalesOffset">Byte offset of the first one, a multiple of 4.</param>
    /// <param name="matrices">Number of matrices.</param>
    /// <exception cref="ArgumentOutOfRangeException">A range lies outside its buffer, or an offset or a size is not as it must be.</exception>
    /// <exception cref="ArgumentException">A buffer is on another device.</exception>
    public void Convert(
        DeviceStream stream, DeviceBuffer source, long sourceOffset, long rows, long columns, DeviceBuffer destination, long destinationOffset, DeviceBuffer scales, long scalesOffset, int matrices = 1)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, int.MaxValue);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, int.MaxValue);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sourceOffset % sizeof(ushort), 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(scalesOffset % sizeof(float), 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(matrices, 1);
        long elements = checked(rows * columns * matrices);
        Require(source, sourceOffset, checked(elements * sizeof(ushort)), nameof(source));
        Require(destination, destinationOffset, elements, nameof(destination));
        Require(scales, scalesOffset, checked(Float8Blocks.ScalesOf(rows, columns) * matrices * sizeof(float)), nameof(scales));
        Launch(stream, source.Address + (nint)sourceOffset, (int)rows, (int)columns, destination.Address + (nint)destinationOffset, scales.Address + (nint)scalesOffset, matrices);
    }

    /// <inheritdoc/>
    public void Dispose() => _kernel.Dispose();

    /// <summary>The caller has checked all ranges.</summary>
    internal void Launch(DeviceStream stream, nint source, int rows, int columns, nint destination, nint scales, int matrices = 1)
    {
        int threads = Math.Min(Float8Convert.GroupThreads, Device.MaxThreadsPerGroup);
        int blockColumns = (int)Float8Blocks.ScalesOf(1, columns);
        long blockRows = Float8Blocks.ScalesOf(rows, 1) * matrices;
        // A block a group on a GPU; on the CPU accelerator as many groups as run at once.
        LaunchShape shape = Device is CpuDevice
            ? new LaunchShape(Math.Min(blockColumns, Device.Multiprocessors), threads)
            : new LaunchShape(blockColumns, threads) { Rows = (int)Math.Min(blockRows, MaxGridRows) };
        _kernel.Launch(stream, in shape, new Float8ConvertArgs
        {
            Source = (ulong)source,
            Destination = (ulong)destination,
            Scales = (ulong)scales,
            Matrices = (uint)matrices,
            Rows = (uint)rows,
            Columns = (uint)columns,
            Wide = (source & 15) == 0 && (destination & 7) == 0 && columns % 8 == 0 ? 1 : 0,
        });
    }

    private void Require(DeviceBuffer buffer, long offset, long bytes, string name)
    {
        ArgumentNullException.ThrowIfNull(buffer, name);
        if (!ReferenceEquals(buffer.Device, Device))
            throw new ArgumentException($"The buffer is on {buffer.Device.Name}; this kernel is loaded on {Device.Name}.", name);
        buffer.Require(offset, bytes, name);
    }
}
