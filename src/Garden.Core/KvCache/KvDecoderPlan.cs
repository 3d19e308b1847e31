namespace Garden.KvCache;

/// <summary>What a request will bring, computed from what the decoder knows alone.</summary>
/// <param name="Units">Units to count, the tail's included.</param>
/// <param name="Bytes">Bytes to come, the tail's included.</param>
/// <param name="LayerCount">Layers to come.</param>
internal readonly record struct KvDecoderPlan(long Units, long Bytes, int LayerCount)
{
    /// <exception cref="PlanException">The request does not fit the pool, the layouts or the lease.</exception>
    public static KvDecoderPlan Create<TTransfer>(KvDecoderOptions options, KvRequest request)
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        int layers = request.LayerCount ?? (TTransfer.Layers - request.FirstLayer);
        if (request.FirstToken < 0 || request.TokenCount < 0 || request.FirstLayer < 0 || layers <= 0 || layers > TTransfer.Layers - request.FirstLayer)
            throw new PlanException($"Tokens [{request.FirstToken}, +{request.TokenCount}) in layers [{request.FirstLayer}, +{layers}) are not a range of a model with {TTransfer.Layers} layers.");
        if ((uint)request.SourceRank >= (uint)TTransfer.SourceTensorParallel || (uint)request.DestinationRank >= (uint)TTransfer.DestinationTensorParallel)
            throw new PlanException($"Ranks {request.SourceRank} → {request.DestinationRank} are not within the tensor-parallel degrees {TTransfer.SourceTensorParallel} → {TTransfer.DestinationTensorParallel}.");
        long needed = request.TokenCount == 0 ? 0 : ((long)request.FirstToken + request.TokenCount + TTransfer.DestinationTokensPerPage - 1) / TTransfer.DestinationTokensPerPage;
        if (needed > request.Pages.Count)
            throw new PlanException($"Tokens [{request.FirstToken}, {(long)request.FirstToken + request.TokenCount}) need {needed} pages of {TTransfer.DestinationTokensPerPage}; the lease has {request.Pages.Count}.");
        if (request.Pages.State != KvLeaseState.Held)
            throw new PlanException($"The lease has ended ({request.Pages.State}); lease pages for every request.");
        foreach (int page in request.Pages.Pages)
        {
            if (page >= options.PoolPages)
                throw new PlanException($"Page {page} is not within the decoder's pool of {options.PoolPages} pages; lease from a pool of that size.");
        }

        if (request.TailLength < 0 || request.TailOffset < 0 || (request.TailLength > 0 && request.TailOffset > (options.Tails?.Length ?? 0) - request.TailLength))
            throw new PlanException($"The tail [{request.TailOffset}, +{request.TailLength}) lies outside the tail region, which has {options.Tails?.Length ?? 0} bytes; set KvDecoderOptions.Tails.");
        var plan = TTransfer.Create(new KvTransferArguments
        {
            SourcePoolPages = int.MaxValue,
            DestinationPoolPages = options.PoolPages,
            FirstToken = request.FirstToken,
            TokenCount = request.TokenCount,
            FirstLayer = request.FirstLayer,
            LayerCount = layers,
            SourceRank = request.SourceRank,
            DestinationRank = request.DestinationRank,
        });
        long units = request.TokenCount == 0 ? 0 : TTransfer.CountUnits(plan);
        long bytes = request.TokenCount == 0 ? 0 : TTransfer.CountBytes(plan);
        return new KvDecoderPlan(units + TransferUnits.OfRun(request.TailLength), bytes + request.TailLength, layers);
    }
}
