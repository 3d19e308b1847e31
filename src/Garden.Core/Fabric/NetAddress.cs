using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Garden;

/// <summary>
/// The address of one device of an engine: a fabric name and its NICs' addresses, one to eight, as text
/// (<c>loopback://prefill/0;prefill/1</c>) or as the same text in ASCII bytes.
/// </summary>
public sealed class NetAddress : IEquatable<NetAddress>, IParsable<NetAddress>
{
    /// <summary>The most NICs a device has.</summary>
    public const int MaxNics = 8;

    private const int MaxNicLength = 255;
    private const int MaxTextLength = MaxNics * (MaxNicLength + 1) + 64;
    private readonly string _text;

    /// <summary>An address made of a fabric name and NIC addresses.</summary>
    /// <exception cref="DescriptorException">The name, a NIC address or their number is not valid; the message says which.</exception>
    public NetAddress(string fabric, IReadOnlyList<string> nics)
    {
        ArgumentNullException.ThrowIfNull(fabric);
        ArgumentNullException.ThrowIfNull(nics);
        if (!TryValidate(fabric, nics, out string? error))
            throw new DescriptorException(error);
        Fabric = fabric;
        Nics = [.. nics];
        _text = $"{fabric}://{string.Join(';', nics)}";
    }

    /// <summary>The fabric's name.</summary>
    public string Fabric { get; }

    /// <summary>The NICs' addresses, in lane order.</summary>
    public IReadOnlyList<string> Nics { get; }

    /// <summary>Parses the text form.</summary>
    /// <exception cref="DescriptorException">The text is not an address.</exception>
    public static NetAddress Parse(string text, IFormatProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out NetAddress? address, out string? error) ? address : throw new DescriptorException(error);
    }

    /// <summary>Parses the byte form: the text in ASCII.</summary>
    /// <exception cref="DescriptorException">The bytes are not an address.</exception>
    public static NetAddress Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > MaxTextLength)
            throw new DescriptorException($"An address has at most {MaxTextLength} bytes; got {bytes.Length}.");
        return Parse(Encoding.Latin1.GetString(bytes));
    }

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out NetAddress result)
    {
        result = null;
        return s is not null && TryParse(s, out result, out _);
    }

    /// <summary>The byte form.</summary>
    public byte[] ToBytes() => Encoding.ASCII.GetBytes(_text);

    /// <inheritdoc/>
    public override string ToString() => _text;

    /// <inheritdoc/>
    public bool Equals(NetAddress? other) => other is not null && _text == other._text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as NetAddress);

    /// <inheritdoc/>
    public override int GetHashCode() => string.GetHashCode(_text, StringComparison.Ordinal);

    private static bool TryParse(string text, [NotNullWhen(true)] out NetAddress? address, [NotNullWhen(false)] out string? error)
    {
        address = null;
        error = null;
        int separator = text.IndexOf("://", StringComparison.Ordinal);
        if (text.Length > MaxTextLength || separator < 0)
        {
            error = $"An address looks like \"fabric://nic;nic\" and has at most {MaxTextLength} characters; got {text.Length} characters{(text.Length > 80 ? "" : $": \"{text}\"")}.";
            return false;
        }

        string fabric = text[..separator];
        string[] nics = text[(separator + 3)..].Split(';');
        if (!TryValidate(fabric, nics, out error))
            return false;
        address = new NetAddress(fabric, nics);
        return true;
    }

    private static bool TryValidate(string fabric, IReadOnlyList<string> nics, [NotNullWhen(false)] out string? error)
    {
        error = null;
        if (fabric.Length is 0 or > 32 || fabric.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789"))
            error = $"A fabric's name is 1 to 32 lower-case letters and digits; got \"{fabric}\".";
        else if (nics.Count is 0 or > MaxNics)
            error = $"An address names 1 to {MaxNics} NICs; got {nics.Count}.";
        else
        {
            foreach (string nic in nics)
            {
                if (nic.Length is 0 or > MaxNicLength || nic.AsSpan().ContainsAnyExceptInRange('!', '~') || nic.Contains(';', StringComparison.Ordinal))
                    error = $"A NIC's address is 1 to {MaxNicLength} printable ASCII characters without ';' and blanks; got \"{nic}\".";
            }
        }

        return error is null;
    }
}
