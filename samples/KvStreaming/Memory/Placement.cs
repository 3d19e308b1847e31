namespace KvStreaming;

/// <summary>In which order a pool hands out its pages: what a server's pool looks like after a while.</summary>
internal enum Placement
{
    /// <summary>Ascending: a pool nobody has used yet.</summary>
    Fresh,

    /// <summary>Runs of 1 to 8 neighbours in random order: a pool after many requests came and went.</summary>
    Fragmented,

    /// <summary>No two neighbours together but by chance: the worst case.</summary>
    Random,
}
