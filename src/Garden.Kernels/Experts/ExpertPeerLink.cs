namespace Garden.Kernels.Experts;

/// <summary>A rank of another node as this rank's engine sees it.</summary>
internal sealed record ExpertPeerLink(Peer Peer, RemoteRegion Window, RemoteRegion Combine) : IDisposable
{
    public void Dispose()
    {
        Window.Dispose();
        Combine.Dispose();
    }
}
