using System.Runtime.InteropServices;

namespace Garden.Kernels;

/// <summary>A stream of the CPU accelerator: work runs when it is put on it, or is recorded while the stream captures.</summary>
internal sealed unsafe class CpuStream(CpuDevice device) : DeviceStream(device)
{
    private List<Action>? _recording;

    public override bool IsIdle => true;

    public override void Copy(nint destination, nint source, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        // Safe as far as the caller's ranges are, as on every device.
        if (_recording is null)
            Buffer.MemoryCopy((void*)source, (void*)destination, bytes, bytes);
        else
            RecordCopy(destination, source, bytes);
    }

    public override void Fill(nint address, byte value, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Run(() => NativeMemory.Fill((void*)address, (nuint)bytes, value));
    }

    public override void WriteFlag(nint address, ulong value)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(address & 7, 0);
        if (_recording is null)
            Volatile.Write(ref *(ulong*)address, value);
        else
            RecordFlag(address, value);
    }

    public override void Record(DeviceEvent recorded) => Run(CpuEvent.Of(recorded).Happen);

    public override void Wait(DeviceEvent awaited) => CpuEvent.Of(awaited);

    public override void Synchronize()
    {
        if (_recording is not null)
            throw new InvalidOperationException("The stream is capturing; end the capture before waiting.");
    }

    public override void BeginCapture()
    {
        if (_recording is not null)
            throw new InvalidOperationException("The stream is capturing already; end that capture first.");
        _recording = [];
    }

    public override DeviceGraph EndCapture()
    {
        List<Action> recording = _recording ?? throw new InvalidOperationException("The stream is not capturing; call BeginCapture first.");
        _recording = null;
        return new CpuGraph((CpuDevice)Device, recording);
    }

    /// <summary>A stream of this device.</summary>
    /// <exception cref="ArgumentException">It belongs to another device.</exception>
    public static CpuStream Of(DeviceStream stream, KernelDevice device) =>
        stream is CpuStream cpu && ReferenceEquals(cpu.Device, device)
            ? cpu
            : throw new ArgumentException($"The stream belongs to {stream?.Device.Name ?? "nobody"}; use one of the device the work is for.", nameof(stream));

    public void Run(Action work)
    {
        if (_recording is null)
            work();
        else
            _recording.Add(work);
    }

    protected override void Dispose(bool disposing)
    {
    }

    // Of their own: a method with a lambda allocates for it whether it is needed or not.
    private void RecordCopy(nint destination, nint source, long bytes) => Run(() => Buffer.MemoryCopy((void*)source, (void*)destination, bytes, bytes));

    private void RecordFlag(nint address, ulong value) => Run(() => Volatile.Write(ref *(ulong*)address, value));
}
