using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Whether the way to a remote NIC is known.</summary>
internal enum PathState
{
    Unknown,
    Resolving,
    Known,
    Failed,
}

/// <summary>A NIC of another engine as one domain knows it. Its connections come and go; it stays. Under the domain's lock.</summary>
internal sealed unsafe class RemoteNic(string text, VerbsAddress address)
{
    /// <summary>The address as it was given.</summary>
    public string Text { get; } = text;

    public VerbsAddress Address { get; } = address;

    public PathState PathState { get; set; }

    /// <summary>The error number of the last look for the way, 0 for none.</summary>
    public int PathError { get; set; }

    /// <summary>The way there, once it is known.</summary>
    public ibv_ah* Path { get; set; }

    /// <summary>The connection that is there or being made; null when there is none.</summary>
    public VerbsConnection? Current { get; set; }

    /// <summary>The highest epoch the other side has offered: a datagram with a lower one is late.</summary>
    public uint LastEpoch { get; set; }

    /// <summary>The last fence against it, 0 for none: connections are refused that do not know of it.</summary>
    public uint Fence { get; set; }

    /// <summary>Its last fence against this NIC that is known here: routes from before are over.</summary>
    public uint KnownFence { get; set; }

    /// <summary>What came before the way back was known.</summary>
    public ConnectionOffer? Unanswered { get; set; }

    /// <summary>Open routes to it.</summary>
    public int Routes { get; set; }
}
