using Garden.KvCache;

namespace Garden.Interop.Host;

/// <summary>Eight layers of 8 KiB pages: small, and enough layers to be killed between.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 8, KvHeads = 2, HeadSize = 64, TokensPerPage = 16)]
public partial struct HostPages
{
    /// <summary>Pages of every request.</summary>
    public const int PagesPerRequest = 16;

    /// <summary>What no request writes.</summary>
    public const byte Poison = 0xA5;

    /// <summary>Writes what a request has in a page of a layer.</summary>
    public static void Fill(Span<byte> page, long request, int layer, int position) =>
        new Random(HashCode(request, layer, position)).NextBytes(page);

    /// <summary>One layer of one page in a pool.</summary>
    public static Span<byte> Page(NativeBuffer pool, int pages, int layer, int page) => pool.Span(PlaneOffset(pages, layer, page, 0), (int)BytesPerPage);

    // The same in every process, which System.HashCode is not.
    private static int HashCode(long request, int layer, int position) => (int)((((request * 31) + layer) * 1009) + position) & int.MaxValue;
}
