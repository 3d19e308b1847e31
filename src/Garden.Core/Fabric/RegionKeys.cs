namespace Garden.Fabric;

/// <summary>What a domain knows a registered region by.</summary>
/// <param name="LocalKey">For <see cref="FabricWrite.LocalKey"/> and <see cref="IFabricDomain.Unregister"/>.</param>
/// <param name="RemoteKey">For peers: <see cref="FabricWrite.RemoteKey"/>.</param>
/// <param name="RemoteBase">What peers add a region offset to: the address, or 0 where the fabric counts from the region's start.</param>
public readonly record struct RegionKeys(ulong LocalKey, ulong RemoteKey, ulong RemoteBase);
