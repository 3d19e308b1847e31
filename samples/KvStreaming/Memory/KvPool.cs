using Garden;
using Garden.KvCache;
using Garden.Samples;

namespace KvStreaming;

/// <summary>The memory of a KV pool of the first layers of a model, with guard bytes on both sides.</summary>
internal sealed class KvPool<TLayout> : IDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    /// <summary>Byte offset of the pool in its buffer; the bytes before and after are guards.</summary>
    public const int GuardBytes = 64 * 1024;

    public KvPool(int pages, int layers)
    {
        Pages = pages;
        Layers = layers;
        // Layer-major: the first layers lie together, the others need no memory.
        Length = layers * pages * TLayout.BytesPerPage;
        Buffer = new NativeBuffer(Length + (2 * GuardBytes));
    }

    public NativeBuffer Buffer { get; }

    public int Pages { get; }

    public int Layers { get; }

    public long Length { get; }

    public Span<byte> Plane(int layer, int page, int plane) =>
        Buffer.Span(GuardBytes + TLayout.PlaneOffset(Pages, layer, page, plane), (int)TLayout.BytesPerPlane);

    /// <summary>Writes one layer of pages whose first has position <paramref name="position"/> in its prompt.</summary>
    public void Fill(int seed, int request, int layer, int position, ReadOnlySpan<int> pages)
    {
        for (int i = 0; i < pages.Length; i++)
        {
            for (int plane = 0; plane < TLayout.PlaneCount; plane++)
                KvPattern.Fill(Plane(layer, pages[i], plane), KvPattern.Key(seed, request, 0, layer, plane, position + i));
        }
    }

    /// <summary>Compares one layer of pages with what <see cref="Fill"/> writes; null when all bytes are right.</summary>
    public string? Verify(int seed, int request, int layer, int position, ReadOnlySpan<int> pages)
    {
        for (int i = 0; i < pages.Length; i++)
        {
            for (int plane = 0; plane < TLayout.PlaneCount; plane++)
            {
                Span<byte> data = Plane(layer, pages[i], plane);
                int at = KvPattern.FirstDifference(data, KvPattern.Key(seed, request, 0, layer, plane, position + i));
                if (at >= 0)
                {
                    string what = data[at] == KvPattern.Poison ? "still holds poison" : $"holds 0x{data[at]:x2}";
                    return $"request {request}, layer {layer}, plane {plane}, page {pages[i]} (position {position + i}): byte {at} {what}";
                }
            }
        }

        return null;
    }

    /// <summary>Overwrites pages so that a byte that never arrives is seen.</summary>
    public void Poison(ReadOnlySpan<int> pages)
    {
        for (int layer = 0; layer < Layers; layer++)
        {
            foreach (int page in pages)
            {
                for (int plane = 0; plane < TLayout.PlaneCount; plane++)
                    Plane(layer, page, plane).Fill(KvPattern.Poison);
            }
        }
    }

    /// <summary>Poisons the bytes nothing may ever write to.</summary>
    public void PoisonGuards()
    {
        foreach ((long offset, int length, _) in Guards())
            Buffer.Span(offset, length).Fill(KvPattern.Poison);
    }

    /// <summary>The first guard that was written to, null when all are untouched.</summary>
    public string? VerifyGuards()
    {
        foreach ((long offset, int length, string name) in Guards())
        {
            int at = Buffer.Span(offset, length).IndexOfAnyExcept(KvPattern.Poison);
            if (at >= 0)
                return $"{name}: byte {at} was written to";
        }

        return null;
    }

    public void Dispose() => Buffer.Dispose();

    private IEnumerable<(long Offset, int Length, string Name)> Guards()
    {
        yield return (0, GuardBytes, "the guard before the pool");
        yield return (GuardBytes + Length, GuardBytes, "the guard after the pool");
        for (int page = 0; page < Pages; page++)
        {
            if (!PageOrder.IsGuard(page))
                continue;
            for (int layer = 0; layer < Layers; layer++)
            {
                for (int plane = 0; plane < TLayout.PlaneCount; plane++)
                    yield return (GuardBytes + TLayout.PlaneOffset(Pages, layer, page, plane), (int)TLayout.BytesPerPlane, $"guard page {page}, layer {layer}");
            }
        }
    }
}
