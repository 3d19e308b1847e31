namespace Garden;

/// <summary>A peer died, fell silent, refused the handshake or left; its operations end with this exception.</summary>
public sealed class PeerFailedException : GardenException
{
    /// <summary>The failure of <paramref name="address"/>.</summary>
    public PeerFailedException(NetAddress? address, string message, Exception? innerException = null)
        : base(message, innerException) => Address = address;

    /// <summary>The peer's address, where known.</summary>
    public NetAddress? Address { get; }
}
