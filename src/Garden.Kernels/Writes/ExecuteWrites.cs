using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels;

/// <summary>
/// The kernel that executes a list of writes of any length and alignment. Neighbouring threads share a write; the next one is
/// loaded while the current one is copied. Bytes move 16 at a time where source and destination are equally far from a multiple
/// of 16, else 8, 4 or 1 at a time; what is left at both ends moves byte by byte.
/// </summary>
public static class ExecuteWrites
{
    /// <summary>The kernel. Its grid may have any shape; a group has whole sets of lanes.</summary>
    public static unsafe void Run(ExecuteWritesArgs arguments)
    {
        int lanes = arguments.Lanes;
        int sets = Group.DimX / lanes;
        int set = Group.IdxX / lanes;
        uint lane = (uint)(Group.IdxX - (set * lanes));
        int step = Grid.DimX * sets;
        int i = (Grid.IdxX * sets) + set;
        if (set >= sets || i >= arguments.Count)
            return;
        // Safe: the list has Count entries, and i is below that here and below.
        var writes = (DeviceWrite*)arguments.Writes;
        DeviceWrite write = writes[i];
        while (true)
        {
            i += step;
            DeviceWrite next = write;
            if (i < arguments.Count)
                next = writes[i];
            Copy(write.Source, write.Destination, (uint)write.Length, lane, (uint)lanes);
            if (i >= arguments.Count)
                return;
            write = next;
        }
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
