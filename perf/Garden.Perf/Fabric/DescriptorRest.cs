using System.Runtime.InteropServices;

namespace Garden.Perf.Fabric;

/// <summary>
/// Lets the processor go while nothing comes, as a worker does: an emulated device works on the same processors, and a loop that spins takes
/// them from it. The engine and its ceiling rest alike.
/// </summary>
internal static partial class DescriptorRest
{
    /// <summary>At most so long: what is due by time is not waited for here.</summary>
    private const int Milliseconds = 2;

    private const short Readable = 1;

    /// <summary>Waits until one of two descriptors is readable.</summary>
    public static unsafe void Wait(int first, int second)
    {
        var waited = stackalloc PollDescriptor[2] { new() { Descriptor = first, Events = Readable }, new() { Descriptor = second, Events = Readable } };
        _ = poll(waited, 2, Milliseconds);
    }

    [LibraryImport("libc")]
    private static unsafe partial int poll(PollDescriptor* descriptors, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
