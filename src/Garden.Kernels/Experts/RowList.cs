using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Received rows in the order of sources and slots, dealt to groups in stretches and worked on in batches.</summary>
internal static class RowList
{
    /// <summary>Rows whose places a group works out at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Batch(int groupThreads) => groupThreads < 32 ? groupThreads : groupThreads < 1024 ? 32 : 64;

    /// <summary>The source that row <paramref name="row"/> came from: the last whose first row is not behind it and that has rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SourceOf(ArrayView<int> shared, int firstRows, int ranks, int row)
    {
        int low = 0, high = ranks - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (shared[firstRows + middle] <= row)
                low = middle;
            else
                high = middle - 1;
        }

        return low;
    }

    /// <summary>How many of a row's terms, from <paramref name="first"/> to <paramref name="end"/>, are none (below zero).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountValid(ArrayView<int> shared, int first, int end)
    {
        int count = 0;
        for (int i = first; i < end; i++)
            count += shared[i] >= 0 ? 1 : 0;
        return count;
    }
}
