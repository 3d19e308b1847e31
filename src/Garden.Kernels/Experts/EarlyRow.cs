using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// What a thread of <see cref="DispatchReceive{TRouting, TSize, TTrace}"/> loads of its group's first slot as soon as rows are there, before lines have been read: pieces of
/// payload, one choice, one scale. A slot without a row has garbage, which is not used.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
internal struct EarlyRow<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    public Vector16 A;
    public Vector16 B;
    public Vector16 C;
    public Vector16 D;
    public int Selection;
    public uint Weight;
    public uint Scale;

    /// <summary>Loads from the slot at <paramref name="row"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EarlyRow<TRouting> Load(ulong row)
    {
        EarlyRow<TRouting> early = default;
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16, i = Group.IdxX, step = Group.DimX;
        // A row may be shorter than a group is wide.
        if (i < vectors)
            early.A = GlobalMemory.Load16(row + ((ulong)i * 16));
        if (i + step < vectors)
            early.B = GlobalMemory.Load16(row + ((ulong)(i + step) * 16));
        if (i + (2 * step) < vectors)
            early.C = GlobalMemory.Load16(row + ((ulong)(i + (2 * step)) * 16));
        if (i + (3 * step) < vectors)
            early.D = GlobalMemory.Load16(row + ((ulong)(i + (3 * step)) * 16));
        if (i < TRouting.TopK)
        {
            early.Selection = (int)GlobalMemory.Load4(row + (ulong)(TRouting.SelectionsOffset + (4 * i)));
            early.Weight = GlobalMemory.Load4(row + (ulong)(TRouting.WeightsOffset + (4 * i)));
        }

        if (i < TRouting.ScaleCount)
            early.Scale = GlobalMemory.Load4(row + (ulong)(TRouting.ScalesOffset + (4 * i)));
        return early;
    }
}
