namespace Garden.KvCache;

/// <summary>How a <see cref="KvPageLease"/> stands.</summary>
public enum KvLeaseState
{
    /// <summary>The pages are the holder's.</summary>
    Held = 0,

    /// <summary>The pages went back to the pool.</summary>
    Returned = 1,

    /// <summary>The pages are out of use: a write to them may still land.</summary>
    Leaked = 2,
}
