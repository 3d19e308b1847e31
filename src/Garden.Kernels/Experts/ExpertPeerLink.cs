namespace Garden.Kernels.Experts;

/// <summary>A rank of another node as this rank's engine sees it, and how far the two have come.</summary>
internal sealed record ExpertPeerLink(Peer Peer, RemoteRegion Window, RemoteRegion Combine, ExpertPeerRounds Rounds) : IDisposable
{
    public void Dispose()
    {
        Window.Dispose();
        Combine.Dispose();
    }
}
