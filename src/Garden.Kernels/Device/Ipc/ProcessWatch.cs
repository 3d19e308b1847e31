using System.Runtime.InteropServices;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Whether a process still runs, asked as often as one likes: a descriptor of it, which knows no other process of the same id.</summary>
internal sealed unsafe class ProcessWatch : SafeHandle
{
    private ProcessWatch(int descriptor)
        : base(-1, ownsHandle: true) => SetHandle(descriptor);

    public override bool IsInvalid => handle == -1;

    /// <summary>False once it has ended, also when its parent has not waited for it yet.</summary>
    public bool IsAlive
    {
        get
        {
            var descriptor = new LibC.PollDescriptor { fd = (int)handle, events = LibC.POLLIN };
            // Safe: one entry. A failed poll says nothing, so the process counts as alive.
            return LibC.poll(&descriptor, 1, 0) <= 0;
        }
    }

    /// <summary>A watch over a process; null when it has ended, for sure.</summary>
    /// <exception cref="FabricException">The system refused to say, for want of descriptors for one: the process may well run.</exception>
    public static ProcessWatch? TryOpen(int process, ulong start)
    {
        int descriptor = LibC.PidfdOpen(process);
        if (descriptor < 0)
        {
            return Marshal.GetLastPInvokeError() == LibC.ESRCH
                ? null
                : throw LibC.Refused($"pidfd_open of process {process}", "`ulimit -n`, that Linux is 5.3 or newer, and that the container's seccomp profile lets pidfd_open pass");
        }

        var watch = new ProcessWatch(descriptor);
        try
        {
            // The descriptor is of whoever has the id now.
            if (ProcessIdentity.StartOf(process) == start && watch.IsAlive)
                return watch;
        }
        catch
        {
            watch.Dispose();
            throw;
        }

        watch.Dispose();
        return null;
    }

    protected override bool ReleaseHandle() => LibC.close((int)handle) == 0;
}
