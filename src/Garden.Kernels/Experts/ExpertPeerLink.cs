namespace Garden.Kernels.Experts;

/// <summary>A rank of another node as this rank's engine sees it, and how far the two have come.</summary>
internal sealed record ExpertPeerLink(Peer Peer, RemoteRegion Window, RemoteRegion Combine, ExpertPeerRounds Rounds) : IDisposable
{
    /// <summary>This rank's slot in the peer's window, the same in every round.</summary>
    public required long SlotOffset { get; init; }

    /// <summary>Where the results for the peer are in this rank's window.</summary>
    public required long ResultsOffset { get; init; }

    public void Dispose()
    {
        Window.Dispose();
        Combine.Dispose();
    }
}
