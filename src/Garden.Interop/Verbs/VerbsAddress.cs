using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Garden.Interop.Verbs;

/// <summary>
/// The text form of a NIC's address: its port's global identifier, then in hexadecimal its local identifier (0 on Ethernet), the number
/// and key of the queue pair that takes connection offers, and the NIC's random id: <c>::ffff:10.0.0.1#0.11.8e3a1c2b.5d6f0a1b2c3d4e5f</c>.
/// </summary>
internal sealed record VerbsAddress(IPAddress Gid, ushort Lid, uint QueuePair, uint QueueKey, ulong Id)
{
    private const int MaxLength = 255;

    /// <summary>Parses what <see cref="ToString"/> printed.</summary>
    /// <exception cref="DescriptorException">The text is not such an address.</exception>
    public static VerbsAddress Parse(string text)
    {
        string[] halves = text.Length <= MaxLength ? text.Split('#') : [];
        string[] numbers = halves.Length == 2 ? halves[1].Split('.') : [];
        if (numbers.Length == 4
            && !text.AsSpan().ContainsAnyExceptInRange('!', '~')
            && IPAddress.TryParse(halves[0], out IPAddress? gid)
            && gid.AddressFamily == AddressFamily.InterNetworkV6
            && ushort.TryParse(numbers[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort lid)
            && uint.TryParse(numbers[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint queuePair)
            && queuePair <= 0xffffff
            && uint.TryParse(numbers[2], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint queueKey)
            && ulong.TryParse(numbers[3], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong id))
        {
            return new VerbsAddress(gid, lid, queuePair, queueKey, id);
        }

        throw new DescriptorException($"A NIC's address on verbs looks like \"::ffff:10.0.0.1#lid.qp.key.id\", as the peer's engine prints it; got \"{(text.Length > 80 ? text[..80] : text)}\".");
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Gid}#{Lid:x}.{QueuePair:x}.{QueueKey:x}.{Id:x}");
}
