using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Stores one thing to all rows a token goes to.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
internal static class RowTargets<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <summary>Stores 16 bytes at an offset of each row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store16(ArrayView<int> shared, int destinations, int counts, int token, ulong offset, Vector16 value)
    {
        int first = destinations + (2 * token * TRouting.TopK), end = first + (2 * shared[counts + token]);
        for (int at = first; at < end; at += 2)
        {
            ulong row = SharedWords.Address(shared, at);
            if (row != 0)
                GlobalMemory.Store16(row + offset, value);
        }
    }

    /// <summary>Stores 4 bytes at an offset of each row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store4(ArrayView<int> shared, int destinations, int counts, int token, ulong offset, uint value)
    {
        int first = destinations + (2 * token * TRouting.TopK), end = first + (2 * shared[counts + token]);
        for (int at = first; at < end; at += 2)
        {
            ulong row = SharedWords.Address(shared, at);
            if (row != 0)
                GlobalMemory.Store4(row + offset, value);
        }
    }
}
