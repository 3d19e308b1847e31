using System.Globalization;

namespace Garden.Perf.Fabric;

/// <summary>How a <see cref="LibfabricEnd"/> is reached.</summary>
/// <param name="Endpoint">Its endpoint's address.</param>
/// <param name="Base">What an offset of 0 in its memory is called by others.</param>
/// <param name="Key">Its memory's key.</param>
internal sealed record RawAddress(string Endpoint, ulong Base, ulong Key)
{
    public static RawAddress Parse(string text)
    {
        string[] parts = text.Split(' ');
        return new RawAddress(parts[0], ulong.Parse(parts[1], CultureInfo.InvariantCulture), ulong.Parse(parts[2], CultureInfo.InvariantCulture));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Endpoint} {Base} {Key}");
}
