using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels.Experts;

/// <summary>What kernels keep in shared memory beside plain words: addresses, and sums over ranks or experts.</summary>
internal static class SharedWords
{
    /// <summary>Reads an address out of two words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Address(ArrayView<int> shared, int at) => (uint)shared[at] | ((ulong)(uint)shared[at + 1] << 32);

    /// <summary>Puts an address into two words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetAddress(ArrayView<int> shared, int at, ulong address)
    {
        shared[at] = (int)(uint)address;
        shared[at + 1] = (int)(uint)(address >> 32);
    }

    /// <summary>The bits that any lane of the warp has. All lanes call it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint OrOfWarp(uint bits)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("redux.sync.or.b32 %0, %1, 0xffffffff;", out uint all, bits);
            return all;
        }

        for (int distance = 1; distance < CpuDevice.ThreadsPerWarp; distance <<= 1)
            bits |= Warp.ShuffleXor(bits, distance);
        return bits;
    }

    /// <summary>
    /// Exclusive sums of <paramref name="count"/> words, each filled up to a multiple of <paramref name="padding"/>; the sum of all behind the
    /// last. One warp does it, a lane a stretch of words; all threads of the group call it, with a barrier in front and one behind.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum(ArrayView<int> shared, int from, int to, int count, int padding, int warp)
    {
        int lanes = Warp.WarpSize, lane = Group.IdxX - (warp * lanes);
        // Sums of different warps are at the same time; a group that has not as many does them one after the other.
        if (Group.DimX <= warp * lanes)
            lane = Group.IdxX;
        if ((uint)lane >= (uint)lanes)
            return;
        int each = (count + lanes - 1) / lanes, first = lane * each, end = first + each;
        if (first > count)
            first = count;
        if (end > count)
            end = count;
        int own = 0;
        for (int i = first; i < end; i++)
            own += Padded(shared[from + i], padding);
        int sum = own;
        for (int distance = 1; distance < lanes; distance <<= 1)
        {
            int other = Warp.ShuffleUp(sum, distance);
            if (lane >= distance)
                sum += other;
        }

        int next = sum - own;
        for (int i = first; i < end; i++)
        {
            shared[to + i] = next;
            next += Padded(shared[from + i], padding);
        }

        if (lane == lanes - 1)
            shared[to + count] = sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Padded(int rows, int padding) => padding == 1 ? rows : (int)(((uint)rows + (uint)padding - 1) / (uint)padding * (uint)padding);
}
