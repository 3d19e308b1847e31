namespace Garden;

/// <summary>What a NIC has done, written by its worker alone and read by metrics.</summary>
internal sealed class NicCounters
{
    /// <summary>Writes the domain accepted.</summary>
    public long Writes;

    /// <summary>Payload bytes of staged writes.</summary>
    public long Bytes;

    /// <summary>Immediates received.</summary>
    public long Immediates;

    /// <summary>Posts the domain did not take whole.</summary>
    public long BackPressure;

    /// <summary>Writes that ended badly.</summary>
    public long Errors;

    /// <summary>Messages sent.</summary>
    public long MessagesSent;

    /// <summary>Messages received.</summary>
    public long MessagesReceived;
}
