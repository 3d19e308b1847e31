namespace Garden;

/// <summary>A cancelled or failed transfer could not be drained in time: the NIC may still read its source memory, which must not be reused.</summary>
public sealed class TransferNotDrainedException : GardenException
{
    /// <summary>The cause, and what is still posted.</summary>
    public TransferNotDrainedException(int outstanding, Exception cause)
        : base($"{outstanding} posted writes did not drain in time; their source memory stays leased and must not be reused. First cause: {cause.Message}", cause)
    {
    }
}
