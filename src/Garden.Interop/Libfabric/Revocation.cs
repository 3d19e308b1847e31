namespace Garden.Interop.Libfabric;

/// <summary>A key on its way out: who is still to be told and how many have not answered. Under the domain's lock.</summary>
internal sealed class Revocation(ulong key, IEnumerable<PeerNic> writers)
{
    public ulong Key { get; } = key;

    /// <summary>Writers the message to whom has not been started.</summary>
    public Queue<PeerNic> Untold { get; } = new(writers);

    /// <summary>Writers that have been told and have not answered.</summary>
    public List<PeerNic> Unanswered { get; } = [];

    public bool IsDone => Untold.Count == 0 && Unanswered.Count == 0;
}
