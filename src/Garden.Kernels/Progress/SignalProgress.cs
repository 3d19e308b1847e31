using ILGPU;

namespace Garden.Kernels;

/// <summary>
/// The kernel that raises a progress watcher by one. The count lives in device memory, because a replayed graph has the parameters
/// of its recording; the host sees it after everything that ran before on the stream.
/// </summary>
public static unsafe class SignalProgress
{
    /// <summary>The kernel, for one thread.</summary>
    public static void Run(SignalProgressArgs arguments)
    {
        if (Grid.IdxX != 0 || Group.IdxX != 0)
            return;
        // Safe: the count is 8 bytes of device memory that only this kernel writes, one launch of a watcher after the other.
        ulong count = *(ulong*)arguments.Count + 1;
        *(ulong*)arguments.Count = count;
        DeviceFlag.StoreReleaseSystem8(arguments.Value, count);
    }
}
