namespace Garden.Kernels;

/// <summary>
/// A device's end of a <see cref="ProgressWatcher"/>: each signal raises it by one, from a stream, from inside a captured graph, or
/// from a kernel that stores to <see cref="DeviceAddress"/> itself. The watcher has no other writer then.
/// </summary>
/// <remarks>Signals of one watcher must not overlap: put them on one stream, or order the streams with events.</remarks>
public sealed class DeviceProgress : IDisposable
{
    private readonly ProgressWatcher _watcher;
    private readonly MappedBuffer _value;
    private readonly DeviceBuffer _count;
    private readonly DeviceKernel<SignalProgressArgs> _kernel;
    private bool _disposed;

    /// <summary>Maps the watcher's value for the device and arms it: the engine's worker does not park until this is disposed.</summary>
    /// <exception cref="CudaException">The value could not be mapped.</exception>
    /// <exception cref="ObjectDisposedException">The watcher was disposed.</exception>
    public DeviceProgress(KernelDevice device, ProgressWatcher watcher)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(watcher);
        _watcher = watcher;
        var made = new Stack<IDisposable>();
        try
        {
            made.Push(_kernel = device.Load<SignalProgressArgs>(SignalProgress.Run));
            made.Push(_value = device.MapHost(watcher.Address, sizeof(ulong)));
            made.Push(_count = device.Allocate(sizeof(ulong)));
            _count.Write(BitConverter.GetBytes(watcher.Value));
            watcher.ArmForDevice();
        }
        catch
        {
            while (made.TryPop(out IDisposable? one))
                one.Dispose();
            throw;
        }
    }

    /// <summary>The watcher's value for kernels of the device: 8 bytes, to be stored with <see cref="DeviceFlag.StoreReleaseSystem8"/>, growing.</summary>
    public nint DeviceAddress => _value.DeviceAddress;

    /// <summary>Puts a raise by one on a stream, behind what is on it. May be captured.</summary>
    public void Signal(DeviceStream stream)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _kernel.Launch(stream, new LaunchShape(1, 1), new SignalProgressArgs { Count = (ulong)_count.Address, Value = (ulong)_value.DeviceAddress });
    }

    /// <summary>Unmaps the watcher's value and disarms it, also when the watcher was disposed first. No signal may still be on its way.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _value.Dispose();
        _count.Dispose();
        _kernel.Dispose();
        _watcher.ArmForDevice(false);
    }
}
