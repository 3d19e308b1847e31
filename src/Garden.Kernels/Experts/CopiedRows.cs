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
    public static void Write(
        ExpertKernelArgs arguments, ArrayView<int> shared, int destinations, int counts, int begin, int count, RowTeam team, bool isEarly, EarlyPieces early)
    {
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16, step = team.Width;
        for (int token = team.First; token < count; token += team.Step)
        {
            ulong from = arguments.Input + ((ulong)(begin + token) * (ulong)InputRowBytes);
            // Four loads are on their way before the first is stored; behind the end the last is loaded again and not stored.
            for (int i = team.Lane; i < vectors; i += 4 * step)
            {
                Vector16 a = early.A, b = early.B, c = early.C, d = early.D;
                if (!isEarly || i != team.Lane)
                {
                    a = Load(from, i, vectors);
                    b = Load(from, i + step, vectors);
                    c = Load(from, i + (2 * step), vectors);
                    d = Load(from, i + (3 * step), vectors);
                }

                RowTargets<TRouting>.Store16(shared, destinations, counts, token, (ulong)i * 16, a);
                if (i + step < vectors)
                    RowTargets<TRouting>.Store16(shared, destinations, counts, token, (ulong)(i + step) * 16, b);
                if (i + (2 * step) < vectors)
                    RowTargets<TRouting>.Store16(shared, destinations, counts, token, (ulong)(i + (2 * step)) * 16, c);
                if (i + (3 * step) < vectors)
                    RowTargets<TRouting>.Store16(shared, destinations, counts, token, (ulong)(i + (3 * step)) * 16, d);
            }
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
}
