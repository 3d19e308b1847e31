using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// What a thread of <see cref="DispatchReceive{TRouting, TTrace}"/> loads of its group's first slots as soon as rows are there, before lines have been read: pieces of
/// payload, one choice, one scale. A slot without a row has garbage, which is not used.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
internal struct EarlyRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    public Vector16 A;
    public Vector16 B;
    public Vector16 C;
    public Vector16 D;
    public int Selection;
    public uint Weight;
    public uint Scale;

    /// <summary>Loads from <paramref name="count"/> slots, dealt to groups in turn.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EarlyRows<TRouting> Load(ExpertKernelArgs arguments, uint epoch, int count)
    {
        EarlyRows<TRouting> rows = default;
        if (count == 0)
            return rows;
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16, all = count * vectors, i = Group.IdxX, step = Group.DimX;
        rows.A = Payload(arguments, epoch, i, all, vectors);
        rows.B = Payload(arguments, epoch, i + step, all, vectors);
        rows.C = Payload(arguments, epoch, i + (2 * step), all, vectors);
        rows.D = Payload(arguments, epoch, i + (3 * step), all, vectors);
        if (i < count * TRouting.TopK)
        {
            int row = i / TRouting.TopK;
            ulong from = Row(arguments, epoch, row) + (ulong)(4 * (i - (row * TRouting.TopK)));
            rows.Selection = (int)GlobalMemory.Load4(from + (ulong)TRouting.SelectionsOffset);
            rows.Weight = GlobalMemory.Load4(from + (ulong)TRouting.WeightsOffset);
        }

        if (TRouting.ScaleCount != 0 && i < count * TRouting.ScaleCount)
        {
            int row = i / TRouting.ScaleCount;
            rows.Scale = GlobalMemory.Load4(Row(arguments, epoch, row) + (ulong)(TRouting.ScalesOffset + (4 * (i - (row * TRouting.ScaleCount)))));
        }

        return rows;
    }

    /// <summary>Behind the end nothing is loaded: a row may be shorter than a group is wide.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Payload(ExpertKernelArgs arguments, uint epoch, int i, int all, int vectors)
    {
        if (i >= all)
            return default;
        int row = i / vectors;
        return GlobalMemory.Load16(Row(arguments, epoch, row) + ((ulong)(i - (row * vectors)) * 16));
    }

    /// <summary>Safe: the caller counted the slots there are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Row(ExpertKernelArgs arguments, uint epoch, int row)
    {
        int index = Grid.IdxX + (row * Grid.DimX);
        return ReceiveLines<TRouting>.Slot(arguments, epoch, index % arguments.Ranks) + arguments.LineBytes + ((ulong)(index / arguments.Ranks) * (ulong)TRouting.RowBytes);
    }
}
