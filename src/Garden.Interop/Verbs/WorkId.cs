namespace Garden.Interop.Verbs;

/// <summary>What a completion is of.</summary>
internal enum WorkKind : byte
{
    /// <summary>Writes up to a slot of the write table.</summary>
    Write = 1,

    /// <summary>A message from a slot.</summary>
    Message = 2,

    /// <summary>A control frame without a slot: credits.</summary>
    Credit = 3,

    /// <summary>An arrived immediate.</summary>
    ImmediateReceive = 4,

    /// <summary>A message in a receive buffer.</summary>
    MessageReceive = 5,

    /// <summary>A connection datagram that was sent.</summary>
    DatagramSend = 6,

    /// <summary>A connection datagram that came.</summary>
    DatagramReceive = 7,
}

/// <summary>
/// The 64 bits a request carries to its completion, which are all that is known of one that failed: kind (8), index (24), and the
/// index's sequence (32), so that a late completion of a queue pair that is gone is not taken for its successor's.
/// </summary>
internal readonly record struct WorkId(WorkKind Kind, int Index, uint Sequence)
{
    public static WorkId From(ulong bits) => new((WorkKind)(bits >> 56), (int)(bits >> 32) & 0xffffff, (uint)bits);

    public static ulong Pack(WorkKind kind, int index, uint sequence) => ((ulong)kind << 56) | ((ulong)(uint)index << 32) | sequence;
}
