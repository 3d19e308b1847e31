namespace Garden.Fabric;

/// <summary>The error catalogue: what a status most likely means and what to look at next.</summary>
internal static class FabricErrors
{
    public static string Advice(FabricStatus status) => status switch
    {
        FabricStatus.RemoteAccess => "the peer has unregistered or renewed the region, or restarted; ask it for a new descriptor.",
        FabricStatus.LocalAccess => "the source region is not registered with this NIC any more; keep it registered until its transfers have ended.",
        FabricStatus.RouteDown => "the peer does not answer, has closed or was fenced; see Peer.State and connect again.",
        FabricStatus.NicDown => "the local NIC is down; other lanes go on, see the engine's NIC metrics.",
        FabricStatus.Flushed => "an earlier write on the same queue failed; its error is the first cause.",
        _ => "see the provider's documentation for its code.",
    };
}
