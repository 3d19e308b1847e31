namespace Garden.KvCache;

/// <summary>A request whose tokens have all arrived.</summary>
/// <param name="Pages">The lease, the caller's again.</param>
/// <param name="Bytes">Bytes that arrived, the tail included.</param>
/// <param name="Units">Units that were counted.</param>
/// <param name="Elapsed">Time from the call to the last byte.</param>
public sealed record KvDelivery(KvPageLease Pages, long Bytes, long Units, TimeSpan Elapsed);
