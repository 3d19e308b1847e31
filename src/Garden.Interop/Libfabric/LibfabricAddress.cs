using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>
/// The text form of a NIC's address: the provider's address, then key and base of a small region that writes without payload
/// point at, because some providers check those too, and the longest message its buffers take: <c>10.0.0.1:4711#key.base.length</c>.
/// </summary>
/// <param name="Native">The provider's own form.</param>
/// <param name="SignalKey">Key of the region for empty writes.</param>
/// <param name="SignalBase">What peers add an offset into that region to.</param>
/// <param name="MaxMessageLength">The longest message in bytes: a provider drops a longer one without a word to its sender.</param>
internal sealed record LibfabricAddress(byte[] Native, ulong SignalKey, ulong SignalBase, int MaxMessageLength)
{
    private const int Ipv4Length = 16, Ipv6Length = 28;
    private const int MaxLength = 255;

    /// <summary>Prints an address of one of libfabric's formats.</summary>
    public string Format(uint format) =>
        string.Create(CultureInfo.InvariantCulture, $"{FormatNative(format)}#{SignalKey:x}.{SignalBase:x}.{MaxMessageLength:x}");

    /// <summary>Parses what <see cref="Format"/> printed.</summary>
    /// <exception cref="DescriptorException">The text is not an address of this format.</exception>
    public static LibfabricAddress Parse(string text, uint format)
    {
        int hash = text.LastIndexOf('#');
        Span<Range> parts = stackalloc Range[4];
        ReadOnlySpan<char> rest = text.AsSpan(hash + 1);
        if (text.Length <= MaxLength
            && !text.AsSpan().ContainsAnyExceptInRange('!', '~')
            && hash > 0
            && rest.Split(parts, '.') == 3
            && ulong.TryParse(rest[parts[0]], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong key)
            && ulong.TryParse(rest[parts[1]], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong origin)
            && int.TryParse(rest[parts[2]], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int length)
            && length > 0
            && ParseNative(text[..hash], format) is { } native)
        {
            return new LibfabricAddress(native, key, origin, length);
        }

        string example = format switch
        {
            FI.FI_SOCKADDR_IN => "\"10.0.0.1:4711#key.base.length\"",
            FI.FI_SOCKADDR_IN6 => "\"[fe80::1]:4711#key.base.length\"",
            FI.FI_ADDR_STR => "\"fi_shm://…#key.base.length\"",
            _ => "\"xHEX#key.base.length\"",
        };
        throw new DescriptorException($"A NIC's address on this fabric looks like {example}, as the peer's engine prints it; got \"{(text.Length > 80 ? text[..80] : text)}\".");
    }

    private string FormatNative(uint format) => format switch
    {
        FI.FI_SOCKADDR_IN when Native.Length >= Ipv4Length =>
            new IPEndPoint(new IPAddress(Native.AsSpan(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(Native.AsSpan(2))).ToString(),
        FI.FI_SOCKADDR_IN6 when Native.Length >= Ipv6Length =>
            new IPEndPoint(new IPAddress(Native.AsSpan(8, 16)), BinaryPrimitives.ReadUInt16BigEndian(Native.AsSpan(2))).ToString(),
        FI.FI_ADDR_STR => Encoding.ASCII.GetString(Native).TrimEnd('\0'),
        _ => $"x{Convert.ToHexStringLower(Native)}",
    };

    private static byte[]? ParseNative(string text, uint format)
    {
        switch (format)
        {
            case FI.FI_SOCKADDR_IN or FI.FI_SOCKADDR_IN6:
                return IPEndPoint.TryParse(text, out IPEndPoint? point) && point.Port != 0 ? SocketAddress(point, format) : null;
            case FI.FI_ADDR_STR:
                return text.StartsWith("fi_", StringComparison.Ordinal) ? [.. Encoding.ASCII.GetBytes(text), 0] : null;
            default:
                return text.Length > 2 && text[0] == 'x' && text.Length % 2 == 1 && !text.AsSpan(1).ContainsAnyExcept("0123456789abcdef")
                    ? Convert.FromHexString(text.AsSpan(1))
                    : null;
        }
    }

    private static byte[]? SocketAddress(IPEndPoint point, uint format)
    {
        bool v6 = format == FI.FI_SOCKADDR_IN6;
        if (v6 != (point.AddressFamily == AddressFamily.InterNetworkV6))
            return null;
        // struct sockaddr_in and sockaddr_in6 of Linux: the family in the host's order (2 and 10), the port in the network's.
        byte[] native = new byte[v6 ? Ipv6Length : Ipv4Length];
        BinaryPrimitives.WriteUInt16LittleEndian(native, (ushort)(v6 ? 10 : 2));
        BinaryPrimitives.WriteUInt16BigEndian(native.AsSpan(2), (ushort)point.Port);
        point.Address.GetAddressBytes().CopyTo(native, v6 ? 8 : 4);
        return native;
    }
}
