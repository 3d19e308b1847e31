namespace Garden;

/// <summary>What a <see cref="WriteDescriptor"/> asks for.</summary>
public enum WriteOpcode : byte
{
    /// <summary>A one-sided write, with or without an immediate.</summary>
    Write = 0,

    /// <summary>Reserved: a one-sided read. No fabric executes it yet and the engine refuses it.</summary>
    Read = 1,
}
