using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Activations that have the wire's type already; quantised ones bring their scales.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
public readonly struct CopiedRows<TRouting> : IDispatchRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <inheritdoc/>
    public static int InputRowBytes => TRouting.HiddenSize * TRouting.ElementBytes;

    /// <inheritdoc/>
    public static EarlyPieces LoadEarly(ExpertKernelArgs arguments, int token)
    {
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16, step = Group.DimX, i = Group.IdxX;
        ulong from = arguments.Input + ((ulong)token * (ulong)InputRowBytes);
        EarlyPieces pieces = default;
        // A row may be shorter than a group is wide.
        if (i < vectors)
            pieces.A = Load(from, i, vectors);
        if (i + step < vectors)
            pieces.B = Load(from, i + step, vectors);
        if (i + (2 * step) < vectors)
            pieces.C = Load(from, i + (2 * step), vectors);
        if (i + (3 * step) < vectors)
            pieces.D = Load(from, i + (3 * step), vectors);
        return pieces;
    }

    /// <inheritdoc/>
    public static void Write(ExpertKernelArgs arguments, ArrayView<int> shared, int destinations, int counts, int begin, int count, bool isEarly, EarlyPieces early)
    {
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16, all = count * vectors, step = Group.DimX;
        ulong from = arguments.Input + ((ulong)begin * (ulong)InputRowBytes);
        // Four loads are on their way before the first is stored; behind the end the last is loaded again and not stored.
        for (int i = Group.IdxX; i < all; i += 4 * step)
        {
            Vector16 a = early.A, b = early.B, c = early.C, d = early.D;
            if (!isEarly || i != Group.IdxX)
            {
                a = Load(from, i, all);
                b = Load(from, i + step, all);
                c = Load(from, i + (2 * step), all);
                d = Load(from, i + (3 * step), all);
            }

            Store(shared, destinations, counts, i, vectors, a);
            if (i + step < all)
                Store(shared, destinations, counts, i + step, vectors, b);
            if (i + (2 * step) < all)
                Store(shared, destinations, counts, i + (2 * step), vectors, c);
            if (i + (3 * step) < all)
                Store(shared, destinations, counts, i + (3 * step), vectors, d);
        }

        if (TRouting.ScaleCount == 0)
            return;
        for (int i = Group.IdxX; i < count * TRouting.ScaleCount; i += Group.DimX)
        {
            int token = i / TRouting.ScaleCount, scale = i - (token * TRouting.ScaleCount);
            uint value = GlobalMemory.Load4(arguments.InputScales + (ulong)(4L * ((begin * TRouting.ScaleCount) + i)));
            RowTargets<TRouting>.Store4(shared, destinations, counts, token, (ulong)(TRouting.ScalesOffset + (4 * scale)), value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Load(ulong from, int i, int all) => GlobalMemory.Load16(from + ((ulong)(i < all ? i : all - 1) * 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ArrayView<int> shared, int destinations, int counts, int i, int vectors, Vector16 value)
    {
        int token = i / vectors;
        RowTargets<TRouting>.Store16(shared, destinations, counts, token, (ulong)(i - (token * vectors)) * 16, value);
    }
}
