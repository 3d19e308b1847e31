namespace Garden.Fabric;

/// <summary>How a posted operation ended. Read before anything else of a completion.</summary>
public enum FabricStatus : byte
{
    /// <summary>It succeeded, at the domain's <see cref="FabricCapabilities.Completion"/> level.</summary>
    Ok = 0,

    /// <summary>The remote key is unknown or revoked, or the range lies outside it.</summary>
    RemoteAccess = 1,

    /// <summary>The local range is not registered, or not any more.</summary>
    LocalAccess = 2,

    /// <summary>The peer does not answer, closed, or was fenced.</summary>
    RouteDown = 3,

    /// <summary>The local NIC failed or went down.</summary>
    NicDown = 4,

    /// <summary>Given back unexecuted because an earlier operation on the same queue failed.</summary>
    Flushed = 5,

    /// <summary>Anything else; the provider's code says more.</summary>
    ProviderError = 6,
}
