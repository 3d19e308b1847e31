using Garden.Weights;

namespace Garden.Kernels.Weights;

/// <summary>
/// An <see cref="IWeightSource"/> that copies tensors by the device's copy engines: out of GPU memory into a rank's host memory, for fabrics
/// that reach no other, or out of the host's into a rank's GPU memory. Host memory is copied at full speed when it is pinned
/// (<see cref="KernelDevice.MapHost"/>).
/// </summary>
public sealed class DeviceWeightSource : IWeightSource, IDisposable
{
    private readonly DeviceStream _stream;
    private readonly DeviceEvent _copied;
    private readonly Func<int, WeightHolding, nint> _locate;
    private readonly DeviceEvent? _ready;

    /// <summary>A source.</summary>
    /// <param name="device">The device that copies.</param>
    /// <param name="locate">
    /// Where what the rank holds of a tensor lies now, row-major: <see cref="WeightHolding.Bytes"/> at a tensor's data pointer, on the device or on the host.
    /// </param>
    /// <param name="ready">What copies must wait for, recorded on the trainer's stream; null when nothing is under way.</param>
    public DeviceWeightSource(KernelDevice device, Func<int, WeightHolding, nint> locate, DeviceEvent? ready = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(locate);
        _locate = locate;
        _stream = device.CreateStream();
        _copied = device.CreateEvent();
        _ready = ready;
    }

    /// <inheritdoc/>
    public ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        nint source = _locate(tensor, holding);
        if (source == 0)
            throw new PlanException($"Tensor {tensor} has no address, and the rank holds {holding.Bytes} bytes of it; the source's locate must know every tensor of the map.");
        if (_ready is not null)
            _stream.Wait(_ready);
        _stream.Copy(memory, source, holding.Bytes);
        _stream.Record(_copied);
        // On this thread: the stage loads one tensor after the other and has one of its own.
        _copied.Synchronize();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _copied.Dispose();
        _stream.Dispose();
    }
}
