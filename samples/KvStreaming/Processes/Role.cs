namespace KvStreaming;

/// <summary>Which side of the job this process is.</summary>
internal enum Role
{
    /// <summary>Both: in this process on loopback and nvlink, else with a second process that this one starts.</summary>
    Both,

    /// <summary>Computes KV caches and streams them.</summary>
    Prefill,

    /// <summary>Asks for them and verifies them.</summary>
    Decode,
}
