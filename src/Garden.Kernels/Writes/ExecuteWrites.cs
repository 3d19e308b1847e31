using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels;

/// <summary>
/// The kernel that executes a list of writes of any length and alignment. Long writes are shared out in pieces; neighbouring threads
/// share a piece, and the next one's write is loaded while the current one is copied; of a list in host memory, a group loads once what
/// all of it needs, in whole lines, because the bus carries few requests. Bytes move 16 at a time where source and
/// destination are equally far from a multiple of 16, else 8, 4 or 1 at a time; what is left at both ends moves byte by byte.
/// </summary>
public static unsafe class ExecuteWrites
{
    /// <summary>8-byte words of a write.</summary>
    private const int Words = 3;

    /// <summary>Fewest lanes of a list of which a group loads its part at once.</summary>
    internal const int LeastStagedLanes = 4;

    /// <summary>Most sets of lanes of a group of 256 threads then.</summary>
    private const int MostSets = 256 / LeastStagedLanes;

    /// <summary>The kernel. Its grid may have any shape; a group has whole sets of lanes.</summary>
    public static void Run(ExecuteWritesArgs arguments)
    {
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
        if (Group.IdxX >= sets * Words)
            return 0;
        int index = (WriteOf(arguments, first) * Words) + Group.IdxX;
        // Safe: below the list's end.
        return index < arguments.Count * Words ? ((ulong*)arguments.Writes)[index] : 0;
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
        ulong skew = source ^ destination;
        if ((skew & 15) == 0)
            CopyBy<Access16>(source, destination, length, lane, lanes);
        else if ((skew & 7) == 0)
            CopyBy<Access8>(source, destination, length, lane, lanes);
        else if ((skew & 3) == 0)
            CopyBy<Access4>(source, destination, length, lane, lanes);
        else
            CopyBy<Access1>(source, destination, length, lane, lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyBy<TAccess>(ulong source, ulong destination, uint length, uint lane, uint lanes)
        where TAccess : unmanaged, IAccess
    {
        uint bytes = (uint)TAccess.Bytes;
        uint head = (bytes - (uint)(source & (bytes - 1))) & (bytes - 1);
        if (head > length)
            head = length;
        uint body = (length - head) / bytes * bytes;
        uint tail = length - head - body;
        for (uint b = lane; b < head; b += lanes)
            GlobalMemory.Store1(destination + b, GlobalMemory.Load1(source + b));
        ulong from = source + head, to = destination + head;
        uint end = body / bytes;
        uint v = lane;
        for (; v + (3 * lanes) < end; v += 4 * lanes)
        {
            ulong at = v * bytes, by = lanes * bytes;
            Vector16 a = TAccess.Load(from + at);
            Vector16 b = TAccess.Load(from + at + by);
            Vector16 c = TAccess.Load(from + at + (2 * by));
            Vector16 d = TAccess.Load(from + at + (3 * by));
            TAccess.Store(to + at, a);
            TAccess.Store(to + at + by, b);
            TAccess.Store(to + at + (2 * by), c);
            TAccess.Store(to + at + (3 * by), d);
        }

        for (; v < end; v += lanes)
            TAccess.Store(to + (v * bytes), TAccess.Load(from + (v * bytes)));
        for (uint b = lane; b < tail; b += lanes)
            GlobalMemory.Store1(to + body + b, GlobalMemory.Load1(from + body + b));
    }
}
