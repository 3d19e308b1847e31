namespace Garden.KvCache;

/// <summary>The messages of the KV protocol. docs/kv-streaming.md says who sends which when.</summary>
internal enum KvMessageKind : byte
{
    /// <summary>Decoder: which layouts it speaks.</summary>
    Hello = 1,

    /// <summary>Prefiller: the hello is accepted.</summary>
    Welcome = 2,

    /// <summary>Prefiller: the hello is refused, and why.</summary>
    Refusal = 3,

    /// <summary>Decoder: a part of a request.</summary>
    RequestPart = 4,

    /// <summary>Decoder: stop a request.</summary>
    Cancel = 5,

    /// <summary>Prefiller: a request has ended before its end; says whether anything of it can still land.</summary>
    Stopped = 6,
}
