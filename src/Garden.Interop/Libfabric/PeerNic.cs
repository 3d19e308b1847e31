namespace Garden.Interop.Libfabric;

/// <summary>A remote NIC as one domain knows it: an entry of the address vector and what is under way to it. Under the domain's lock.</summary>
internal sealed class PeerNic(string text, LibfabricAddress address, ulong fiAddress)
{
    private const int MostRevokedKeys = 4096;

    /// <summary>The address as it was given.</summary>
    public string Text { get; } = text;

    public LibfabricAddress Address { get; } = address;

    /// <summary>The entry in the address vector.</summary>
    public ulong FiAddress { get; } = fiAddress;

    /// <summary>Routes to it, messages of it that wait for their answer, and one more while it is known as a sender.</summary>
    public int References { get; set; }

    /// <summary>What this domain itself has to say to it, apart from the routes of the engine; null until it has.</summary>
    public LibfabricRoute? Control { get; set; }

    /// <summary>Keys of it that it has taken back; null when there are none.</summary>
    public HashSet<ulong>? RevokedKeys { get; private set; }

    /// <summary>Operations the provider has.</summary>
    public int InFlight { get; set; }

    /// <summary>Bytes of them.</summary>
    public long BytesInFlight { get; set; }

    /// <summary>Operations that have ended; while it grows, the peer lives.</summary>
    public long Ended { get; set; }

    /// <summary>True once it is known to be gone for good.</summary>
    public bool IsGone { get; set; }

    /// <summary>The process behind it where that can be watched, null elsewhere.</summary>
    public WatchedProcess? Process { get; set; }

    /// <summary>Remembers that it has taken a key back. Bounded: what is forgotten is refused by the peer itself.</summary>
    public void Revoke(ulong key)
    {
        RevokedKeys ??= [];
        if (RevokedKeys.Count == MostRevokedKeys)
            RevokedKeys.Clear();
        RevokedKeys.Add(key);
    }
}
