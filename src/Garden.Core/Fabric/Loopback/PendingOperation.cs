namespace Garden.Fabric.Loopback;

/// <summary>An accepted write or message that waits for its time, for room at the receiver, or for the release of a hold.</summary>
internal struct PendingOperation
{
    public FabricWrite Write;

    /// <summary>A private copy of the bytes: of every message, and of writes that were reported when they were posted.</summary>
    public nint Staged;

    /// <summary>When the link has carried it, in stopwatch ticks.</summary>
    public long Due;

    /// <summary>The poll from which on it may go, when deliveries are reordered.</summary>
    public long ReleasePoll;

    public bool IsMessage;
}
