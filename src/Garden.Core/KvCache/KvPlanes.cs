namespace Garden.KvCache;

/// <summary>How keys and values lie beside each other.</summary>
public enum KvPlanes : byte
{
    /// <summary>K and V of a page are neighbours: [page][K, V][…]. Two planes.</summary>
    Interleaved = 0,

    /// <summary>All K pages of a layer, then all V pages: [K, V][page][…]. Two planes.</summary>
    Separate = 1,

    /// <summary>One latent vector a token (multi-head latent attention). One plane, one head, the same on every rank.</summary>
    Latent = 2,
}
