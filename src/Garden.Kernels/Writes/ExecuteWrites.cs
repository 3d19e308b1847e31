using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels;

/// <summary>
/// The kernel that executes a list of writes of any length and alignment. Long writes are shared out in pieces; neighbouring threads
/// share a piece, and the next one's write is loaded while the current one is copied. Bytes move 16 at a time where source and
/// destination are equally far from a multiple of 16, else 8, 4 or 1 at a time; what is left at both ends moves byte by byte.
/// </summary>
public static unsafe class ExecuteWrites
{
    /// <summary>The kernel. Its grid may have any shape; a group has whole sets of lanes.</summary>
    public static void Run(ExecuteWritesArgs arguments)
    {
        CopyAll(arguments);
        if (arguments.Tickets == 0)
            return;
        // All of the group's stores, by its barrier, before the one thread's fence and ticket; who has the last ticket has seen
        // everybody's, and its release hands all of it on.
        Group.Barrier();
        if (Group.IdxX != 0)
            return;
        DeviceFlag.FenceSystem();
        if (DeviceFlag.AddAcquireReleaseGpu(arguments.Tickets, 1) != (uint)Grid.DimX - 1)
            return;
        // Safe: the count is 4 bytes of device memory that nobody else touches until the flag is seen.
        *(uint*)arguments.Tickets = 0;
        DeviceFlag.FenceSystem();
        DeviceFlag.StoreReleaseSystem8(arguments.Flag, arguments.Value);
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
            CopyPiece(write, piece, arguments.PieceBytes, lane, (uint)lanes);
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
    private static void CopyPiece(DeviceWrite write, int piece, int pieceBytes, uint lane, uint lanes)
    {
        long misaligned = (long)(write.Source & 15);
        long from = piece == 0 ? 0 : ((long)piece * pieceBytes) - misaligned;
        long to = ((piece + 1L) * pieceBytes) - misaligned;
        if (to > write.Length)
            to = write.Length;
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
