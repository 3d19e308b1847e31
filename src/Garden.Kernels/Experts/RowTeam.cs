using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>The threads that share a row: the whole group, or a warp, which finds addresses once for all of the row.</summary>
public struct RowTeam
{
    /// <summary>The team's first row.</summary>
    public int First;

    /// <summary>From there to its next.</summary>
    public int Step;

    /// <summary>The thread among them.</summary>
    public int Lane;

    /// <summary>How many they are.</summary>
    public int Width;

    /// <summary>The group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowTeam OfGroup() => new() { First = 0, Step = 1, Lane = Group.IdxX, Width = Group.DimX };

    /// <summary>The warp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowTeam OfWarp() =>
        new() { First = Group.IdxX / Warp.WarpSize, Step = Group.DimX / Warp.WarpSize, Lane = Group.IdxX % Warp.WarpSize, Width = Warp.WarpSize };
}
