using Garden;
using Garden.KvCache;

namespace KvStreaming;

/// <summary>
/// How many writes the workload's requests are in pools of different placement: the plans are expanded as the worker would
/// expand them, and nothing is sent.
/// </summary>
internal static class WritesStudy
{
    private const int MostRequests = 64;

    public static IReadOnlyList<WritesPerRequest> Run<TLayout, TTransfer>(SampleOptions options, IReadOnlyList<PromptRequest> requests)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer> =>
        [.. Enum.GetValues<Placement>().Select(placement => Run<TLayout, TTransfer>(options, requests, placement))];

    private static WritesPerRequest Run<TLayout, TTransfer>(SampleOptions options, IReadOnlyList<PromptRequest> requests, Placement placement)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        int largest = requests.Max(PagesOf<TLayout>);
        int pool = PageOrder.WithGuards(largest * 3);
        var sources = new KvPagePool(PageOrder.Create(pool, placement, options.Seed));
        var destinations = new KvPagePool(PageOrder.Create(pool, placement, options.Seed + 1));
        var descriptors = new WriteDescriptor[256];
        long coalesced = 0, uncoalesced = 0;
        int count = Math.Min(requests.Count, MostRequests);
        // The lease before stays held for a while, so that the pools do not start afresh for every request.
        KvPageLease? held = null;
        for (int i = 0; i < count; i++)
        {
            int pages = PagesOf<TLayout>(requests[i]);
            using KvPageLease source = sources.TryLease(pages)!;
            KvPageLease destination = destinations.TryLease(pages)!;
            long perLayer = CountWrites<TTransfer>(source, destination, pool, pages * TLayout.TokensPerPage, descriptors);
            coalesced += (perLayer * options.EffectiveLayers) + 1;
            uncoalesced += ((long)pages * options.EffectiveLayers * (TLayout.Planes == KvPlanes.Separate ? 2 : 1)) + 1;
            held?.Dispose();
            held = destination;
        }

        held?.Dispose();
        return new WritesPerRequest(placement, (double)coalesced / count, (double)uncoalesced / count);
    }

    private static int PagesOf<TLayout>(PromptRequest request)
        where TLayout : unmanaged, IKvPageLayout<TLayout> =>
        (request.InputLength + TLayout.TokensPerPage - 1) / TLayout.TokensPerPage;

    private static long CountWrites<TTransfer>(KvPageLease source, KvPageLease destination, int poolPages, int tokens, WriteDescriptor[] descriptors)
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        using var sourcePages = PageList.Create(source.Pages);
        using var destinationPages = PageList.Create(destination.Pages);
        var plan = TTransfer.Create(new KvTransferArguments
        {
            SourcePoolPages = poolPages,
            DestinationPoolPages = poolPages,
            TokenCount = tokens,
            LayerCount = 1,
            SourcePages = sourcePages.Handle,
            DestinationPages = destinationPages.Handle,
        });
        long writes = 0;
        var cursor = default(PlanCursor);
        while (!cursor.IsCompleted)
            writes += TTransfer.Expand(plan, ref cursor, descriptors);
        return writes;
    }
}
