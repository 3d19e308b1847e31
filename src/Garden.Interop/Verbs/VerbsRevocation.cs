namespace Garden.Interop.Verbs;

/// <summary>A key on its way out: whom to tell, and who has not answered. Under the domain's lock.</summary>
internal sealed class VerbsRevocation(ulong key)
{
    public ulong Key { get; } = key;

    /// <summary>Connections the message to which has not been started.</summary>
    public Queue<VerbsConnection> Untold { get; } = new();

    /// <summary>Connections that were told and have neither answered nor ended.</summary>
    public List<VerbsConnection> Unanswered { get; } = [];

    public bool IsDone => Untold.Count == 0 && Unanswered.Count == 0;
}
