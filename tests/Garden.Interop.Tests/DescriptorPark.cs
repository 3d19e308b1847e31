using System.Diagnostics;
using System.Runtime.InteropServices;
using Garden.Testing;

namespace Garden.Interop.Tests;

/// <summary>Waits for a NIC's descriptor, as a worker does.</summary>
internal static partial class DescriptorPark
{
    public static void Park(FabricEndpoint endpoint, long dueTimestamp, Deadline deadline)
    {
        double due = dueTimestamp == long.MaxValue ? double.MaxValue : (dueTimestamp - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency;
        var descriptor = new PollDescriptor { Descriptor = endpoint.Domain.WaitDescriptor, Events = 1 };
        _ = Poll(ref descriptor, 1, (int)Math.Clamp(Math.Ceiling(due), 0, deadline.Left.TotalMilliseconds));
    }

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
