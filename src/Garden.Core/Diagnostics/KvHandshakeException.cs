namespace Garden;

/// <summary>A prefiller refused a decoder: another protocol version, another layout, another number of layers. The message names both sides' values.</summary>
public sealed class KvHandshakeException : GardenException
{
    /// <summary>The refusal of the prefiller at <paramref name="address"/>.</summary>
    public KvHandshakeException(NetAddress address, string reason)
        : base($"The prefiller at {address} refused the handshake: {reason}.") => Address = address;

    /// <summary>Who refused.</summary>
    public NetAddress Address { get; }
}
