namespace Garden;

/// <summary>The other side gave up a transfer this side was counting: its counter is poisoned and will not be reached.</summary>
public sealed class TransferAbortedException : GardenException
{
    /// <summary>An abort, with the reason the peer gave.</summary>
    public TransferAbortedException(string message)
        : base(message)
    {
    }
}
