using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels;

/// <summary>
/// The kernel that executes a list of writes of any length and alignment. Long writes are shared out in pieces; neighbouring threads
/// share a piece, and the next one's write is loaded while the current one is copied; of a list in host memory, a group loads once what
/// all of it needs, in whole lines, because the bus carries few requests. Bytes move 16 at a time where source and
/// destination are equally far from a multiple of 16; elsewhere two loads of 16 make one store. What is left at both ends moves byte by byte.
/// </summary>
public static unsafe class ExecuteWrites
{
    /// <summary>8-byte words of a write.</summary>
    private const int Words = 3;

    private const uint VectorBytes = 16;

    /// <summary>Fewest lanes of a list of which a group loads its part at once.</summary>
    internal const int LeastStagedLanes = 4;

    /// <summary>Most sets of lanes of a group of 256 threads then.</summary>
    private const int MostSets = 256 / LeastStagedLanes;

    /// <summary>The kernel. Its grid may have any shape; a group has whole sets of lanes.</summary>
    public static void Run(ExecuteWritesArgs arguments)
    {
        KernelOverlap.LetNextBegin();
        if (arguments.IsStaged != 0)
            CopyStaged(arguments);
        else
            CopyAll(arguments);
        if (arguments.Tickets == 0)
            return;
        // All of the group's stores, by its barrier, before the one thread's fence and ticket; who has the last ticket has seen
        // everybody's, and its release hands all of it on.
        Group.Barrier();
        if (Group.IdxX != 0)
            return;
        if (Grid.DimX != 1)
        {
            DeviceFlag.FenceSystem();
            if (DeviceFlag.AddAcquireReleaseGpu(arguments.Tickets, 1) != (uint)Grid.DimX - 1)
                return;
            // Safe: the count is 4 bytes of device memory that nobody else touches until the flag is seen.
            *(uint*)arguments.Tickets = 0;
        }

        // Flags follow each other as their kernels do.
        KernelOverlap.AwaitPrevious();
        DeviceFlag.StoreReleaseSystem8(arguments.Flag, arguments.Value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyStaged(ExecuteWritesArgs arguments)
    {
        // Two stages in turns, so that one barrier between filling and reading is enough.
        ArrayView<ulong> stages = ILGPU.SharedMemory.Allocate<ulong>(2 * MostSets * Words);
        int lanes = arguments.Lanes;
        int sets = Group.DimX / lanes;
        int set = Group.IdxX / lanes;
        uint lane = (uint)(Group.IdxX - (set * lanes));
        int step = Grid.DimX * sets;
        int items = arguments.Count * arguments.Pieces;
        int stage = 0;
        int first = Grid.IdxX * sets;
        ulong word = LoadWord(arguments, first, sets);
        while (first < items)
        {
            // Safe: a group has no more sets than a stage has room for.
            if (Group.IdxX < sets * Words)
                stages[stage + Group.IdxX] = word;
            Group.Barrier();
            int next = first + step;
            if (next < items)
                word = LoadWord(arguments, next, sets);
            int item = first + set;
            if (item < items)
            {
                int index = WriteOf(arguments, item);
                int at = stage + ((index - WriteOf(arguments, first)) * Words);
                var write = new DeviceWrite { Source = stages[at], Destination = stages[at + 1], Length = (long)stages[at + 2] };
                CopyPiece(arguments, write, item - (index * arguments.Pieces), lane, (uint)lanes);
            }

            first = next;
            stage = (MostSets * Words) - stage;
        }
    }

    /// <summary>This thread's word of the writes that a group's items from <paramref name="first"/> on are of: no more writes than sets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong LoadWord(ExecuteWritesArgs arguments, int first, int sets)
    {
        int index = WriteOf(arguments, first), end = Math.Min(first + sets, arguments.Count * arguments.Pieces);
        // No more than is needed: groups that ask the host for the same line wait for each other.
        int words = (WriteOf(arguments, end - 1) - index + 1) * Words;
        // Safe: below the list's end.
        return Group.IdxX < words ? ((ulong*)arguments.Writes)[(index * Words) + Group.IdxX] : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyAll(ExecuteWritesArgs arguments)
    {
        int lanes = arguments.Lanes;
        int sets = Group.DimX / lanes;
        int set = Group.IdxX / lanes;
        uint lane = (uint)(Group.IdxX - (set * lanes));
        int step = Grid.DimX * sets;
        int i = (Grid.IdxX * sets) + set;
        int items = arguments.Count * arguments.Pieces;
        if (set >= sets || i >= items)
            return;
        DeviceWrite write = Load(arguments, i);
        while (true)
        {
            int piece = i - (WriteOf(arguments, i) * arguments.Pieces);
            i += step;
            DeviceWrite next = write;
            if (i < items)
                next = Load(arguments, i);
            CopyPiece(arguments, write, piece, lane, (uint)lanes);
            if (i >= items)
                return;
            write = next;
        }
    }

    // Safe: the list has Count entries, and an item is below Count times Pieces.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static DeviceWrite Load(ExecuteWritesArgs arguments, int item) =>
        arguments.Writes == 0 ? arguments.Only : ((DeviceWrite*)arguments.Writes)[WriteOf(arguments, item)];

    // Lists of short writes have one piece each, and no time for a division.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int WriteOf(ExecuteWritesArgs arguments, int item) => arguments.Pieces == 1 ? item : item / arguments.Pieces;

    /// <summary>Pieces but the first begin at multiples of 16 of the source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyPiece(ExecuteWritesArgs arguments, DeviceWrite write, int piece, uint lane, uint lanes)
    {
        long from = 0, to = write.Length;
        if (arguments.Pieces != 1)
        {
            long misaligned = (long)(write.Source & 15);
            long end = ((piece + 1L) * arguments.PieceBytes) - misaligned;
            from = piece == 0 ? 0 : end - arguments.PieceBytes;
            if (to > end)
                to = end;
        }

        if (from < to)
            Copy(write.Source + (ulong)from, write.Destination + (ulong)from, (uint)(to - from), lane, lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(ulong source, ulong destination, uint length, uint lane, uint lanes)
    {
        if (((source ^ destination) & (VectorBytes - 1)) == 0)
            CopyAligned(source, destination, length, lane, lanes);
        else
            CopyShifted(source, destination, length, lane, lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyAligned(ulong source, ulong destination, uint length, uint lane, uint lanes)
    {
        uint head = (uint)(0 - source) & (VectorBytes - 1);
        if (head > length)
            head = length;
        uint end = (length - head) / VectorBytes;
        CopyBytes(source, destination, head, lane, lanes);
        ulong from = source + head, to = destination + head;
        uint v = lane;
        for (; v + (3 * lanes) < end; v += 4 * lanes)
        {
            ulong at = (ulong)v * VectorBytes, by = (ulong)lanes * VectorBytes;
            Vector16 a = GlobalMemory.Load16(from + at);
            Vector16 b = GlobalMemory.Load16(from + at + by);
            Vector16 c = GlobalMemory.Load16(from + at + (2 * by));
            Vector16 d = GlobalMemory.Load16(from + at + (3 * by));
            GlobalMemory.Store16(to + at, a);
            GlobalMemory.Store16(to + at + by, b);
            GlobalMemory.Store16(to + at + (2 * by), c);
            GlobalMemory.Store16(to + at + (3 * by), d);
        }

        if (v + lanes < end)
        {
            ulong at = (ulong)v * VectorBytes, by = (ulong)lanes * VectorBytes;
            Vector16 a = GlobalMemory.Load16(from + at);
            Vector16 b = GlobalMemory.Load16(from + at + by);
            GlobalMemory.Store16(to + at, a);
            GlobalMemory.Store16(to + at + by, b);
            v += 2 * lanes;
        }

        if (v < end)
            GlobalMemory.Store16(to + ((ulong)v * VectorBytes), GlobalMemory.Load16(from + ((ulong)v * VectorBytes)));
        uint body = end * VectorBytes;
        CopyBytes(from + body, to + body, length - head - body, lane, lanes);
    }

    /// <summary>Stores whole vectors of the destination, each out of the two of the source it lies in. Only such are loaded that lie in the source as a whole.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyShifted(ulong source, ulong destination, uint length, uint lane, uint lanes)
    {
        uint head = (uint)(0 - destination) & (VectorBytes - 1);
        uint shift = (uint)(source + head) & (VectorBytes - 1);
        if (shift > head)
            head += VectorBytes;
        if (length < head + (2 * VectorBytes))
        {
            CopyBytes(source, destination, length, lane, lanes);
            return;
        }

        uint end = ((length - head + shift) / VectorBytes) - 1;
        CopyBytes(source, destination, head, lane, lanes);
        ulong from = source + head - shift, to = destination + head;
        uint v = lane;
        for (; v + lanes < end; v += 2 * lanes)
        {
            ulong at = (ulong)v * VectorBytes, by = (ulong)lanes * VectorBytes;
            Vector16 a = GlobalMemory.LoadShared16(from + at), b = GlobalMemory.LoadShared16(from + at + VectorBytes);
            Vector16 c = GlobalMemory.LoadShared16(from + at + by), d = GlobalMemory.LoadShared16(from + at + by + VectorBytes);
            GlobalMemory.Store16(to + at, Shift(a, b, shift));
            GlobalMemory.Store16(to + at + by, Shift(c, d, shift));
        }

        if (v < end)
        {
            ulong at = (ulong)v * VectorBytes;
            GlobalMemory.Store16(to + at, Shift(GlobalMemory.LoadShared16(from + at), GlobalMemory.LoadShared16(from + at + VectorBytes), shift));
        }

        uint body = end * VectorBytes;
        CopyBytes(source + head + body, to + body, length - head - body, lane, lanes);
    }

    /// <summary>The 16 bytes from byte <paramref name="bytes"/> on of two neighbouring vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Shift(Vector16 low, Vector16 high, uint bytes)
    {
        uint a = low.A, b = low.B, c = low.C, d = low.D, e = high.A;
        if (bytes >= 8)
            (a, b, c, d, e) = (c, d, e, high.B, high.C);
        if ((bytes & 4) != 0)
            (a, b, c, d, e) = (b, c, d, e, bytes >= 8 ? high.D : high.B);
        int bits = (int)(bytes & 3) * 8;
        return new Vector16 { A = Funnel(a, b, bits), B = Funnel(b, c, bits), C = Funnel(c, d, bits), D = Funnel(d, e, bits) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Funnel(uint low, uint high, int bits) => (uint)((low | ((ulong)high << 32)) >> bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyBytes(ulong source, ulong destination, uint length, uint lane, uint lanes)
    {
        for (uint b = lane; b < length; b += lanes)
            GlobalMemory.Store1(destination + b, GlobalMemory.Load1(source + b));
    }
}
