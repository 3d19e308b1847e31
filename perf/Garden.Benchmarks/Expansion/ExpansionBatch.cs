using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden.Benchmarks.Expansion;

/// <summary>A batch as large as the worker's, and what is done with it.</summary>
internal static class ExpansionBatch
{
    /// <summary>The worker expands this many descriptors at a time.</summary>
    public const int Size = 64;

    /// <summary>Canonical runs of every expansion here; the inputs are scattered, so that each becomes a write.</summary>
    public const int Runs = 1024;

    /// <summary>Takes something of a batch, so that its stores cannot be dropped, and little, so that taking is not what is timed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Take(ReadOnlySpan<WriteDescriptor> batch, int written) => written + batch[written - 1].DestinationOffset;

    /// <summary>
    /// All of a batch, whatever the order of its writes. Every method of a class must come to the same sum, so that no ratio
    /// compares different work.
    /// </summary>
    public static ulong Sum(ReadOnlySpan<WriteDescriptor> batch)
    {
        ulong sum = 0;
        foreach (ref readonly WriteDescriptor descriptor in batch)
        {
            ulong one = 14695981039346656037;
            foreach (ulong word in MemoryMarshal.Cast<WriteDescriptor, ulong>(new ReadOnlySpan<WriteDescriptor>(in descriptor)))
                one = (one ^ word) * 1099511628211;
            sum += one;
        }

        return sum;
    }
}
