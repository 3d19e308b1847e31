using System.Runtime.CompilerServices;
using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>What a layout's constants say about one plane of a page, for kernels: everything here is a constant in their code.</summary>
internal static class KvPlaneGeometry<TLayout>
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    /// <summary>Bytes of one head of one token.</summary>
    public static int RowBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLayout.HeadSize * TLayout.ElementBytes;
    }

    /// <summary>Bytes of one token in one plane.</summary>
    public static int TokenBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLayout.LocalKvHeads * RowBytes;
    }

    /// <summary>True when tokens lie one behind the other with all their heads, as in the canonical order.</summary>
    public static bool IsTokenMajor
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLayout.Axes == KvAxisOrder.Nhd || TLayout.LocalKvHeads == 1 || TLayout.TokensPerPage == 1;
    }

    /// <summary>Bytes that lie together in canonical order and in the page, whatever the tokens.</summary>
    public static int Granule => IsTokenMajor ? TokenBytes : RowBytes;

    /// <summary>Byte offset inside a plane of a byte in canonical order [token][head][element].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long OffsetInPlane(uint canonical)
    {
        if (IsTokenMajor)
            return canonical;
        uint token = canonical / (uint)TokenBytes;
        uint inToken = canonical - (token * (uint)TokenBytes);
        uint head = inToken / (uint)RowBytes;
        return TLayout.ElementOffset((int)token, (int)head) + (inToken - (head * (uint)RowBytes));
    }
}
