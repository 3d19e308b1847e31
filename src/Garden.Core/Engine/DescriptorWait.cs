using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>Waits on Linux for an eventfd and other descriptors, to the microsecond.</summary>
/// <remarks>
/// A signal that comes after its wait has ended by time stays in the eventfd and ends the next wait at once; that one then finds
/// nothing to do. Signals after <see cref="Dispose"/> go nowhere.
/// </remarks>
internal sealed unsafe partial class DescriptorWait : IDisposable
{
    private const int NonBlocking = 0x800, CloseOnExec = 0x80000;
    private const short Readable = 1;

    private readonly EventDescriptor _event = new();
    private readonly PollEntry* _entries;
    private int _count = 1;

    public DescriptorWait()
    {
        _entries = (PollEntry*)NativeMemory.AllocZeroed(1 + NetAddress.MaxNics, (nuint)sizeof(PollEntry));
        _entries[0] = new PollEntry { Descriptor = (int)_event.DangerousGetHandle(), Events = Readable };
    }

    public void Watch(int descriptor)
    {
        if (_count > NetAddress.MaxNics)
            throw new InvalidOperationException($"A worker watches at most {NetAddress.MaxNics} descriptors.");
        // Safe: the table has a place for the eventfd and one for each of at most MaxNics NICs.
        _entries[_count++] = new PollEntry { Descriptor = descriptor, Events = Readable };
    }

    public void Unwatch(int descriptor)
    {
        // poll(2) passes over negative descriptors.
        for (int i = 1; i < _count; i++)
            _entries[i].Descriptor = _entries[i].Descriptor == descriptor ? -1 : _entries[i].Descriptor;
    }

    /// <summary>Waits for a signal or a descriptor, at most so many stopwatch ticks.</summary>
    public void Wait(long ticks)
    {
        (long seconds, long rest) = Math.DivRem(ticks, Stopwatch.Frequency);
        var time = new TimeSpec { Seconds = seconds, Nanoseconds = (long)(rest * (1e9 / Stopwatch.Frequency)) };
        // An interrupted wait is a short one: the worker looks for work and parks again.
        if (Poll(_entries, (nuint)_count, &time, null) > 0 && _entries[0].Happened != 0)
        {
            ulong signals;
            _ = Read(_entries[0].Descriptor, &signals, sizeof(ulong));
        }
    }

    /// <summary>Any thread: ends the wait.</summary>
    public void Signal()
    {
        bool held = false;
        try
        {
            _event.DangerousAddRef(ref held);
            ulong one = 1;
            _ = Write((int)_event.DangerousGetHandle(), &one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            // The worker has ended: there is nobody to wake.
        }
        finally
        {
            if (held)
                _event.DangerousRelease();
        }
    }

    public void Dispose()
    {
        _event.Dispose();
        NativeMemory.Free(_entries);
    }

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "ppoll")]
    private static partial int Poll(PollEntry* entries, nuint count, TimeSpec* time, void* signals);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(int descriptor, void* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(int descriptor, void* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int CloseDescriptor(int descriptor);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    /// <summary>Owns the eventfd: a late signal must not write into a descriptor that is somebody else's by then.</summary>
    private sealed class EventDescriptor : SafeHandle
    {
        public EventDescriptor()
            : base(-1, ownsHandle: true)
        {
            int descriptor = EventFd(0, NonBlocking | CloseOnExec);
            if (descriptor < 0)
                throw new Win32Exception(Marshal.GetLastPInvokeError(), "eventfd failed; the process may have used up its file descriptors (`ulimit -n`).");
            SetHandle(descriptor);
        }

        public override bool IsInvalid => handle == -1;

        protected override bool ReleaseHandle() => CloseDescriptor((int)handle) == 0;
    }
}
