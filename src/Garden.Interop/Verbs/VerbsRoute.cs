namespace Garden.Interop.Verbs;

/// <summary>An open route: a remote NIC, and from its first use on the connection it goes over. Under the domain's lock.</summary>
internal sealed class VerbsRoute(int number, RemoteNic nic)
{
    /// <summary>What the engine knows it by.</summary>
    public int Number { get; } = number;

    public RemoteNic Nic { get; } = nic;

    /// <summary>The connection, null before the first use. A later connection is for later routes.</summary>
    public VerbsConnection? Connection { get; set; }

    /// <summary>True when the route is gone for good; nothing goes over it any more.</summary>
    public bool HasFailed { get; set; }
}
