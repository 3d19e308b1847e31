namespace KvStreaming;

/// <summary>What the two sides are connected by.</summary>
internal enum FabricName
{
    /// <summary>One process, nothing to install.</summary>
    Loopback,

    /// <summary>libfabric's tcp: two processes on one or two hosts.</summary>
    Tcp,

    /// <summary>libfabric's shared memory: two processes on one host.</summary>
    Shm,

    /// <summary>RDMA devices: two processes on one or two hosts.</summary>
    Verbs,

    /// <summary>GPUs of this host, in this process or two.</summary>
    Nvlink,
}
