using System.Globalization;

namespace Garden.Interop.Verbs;

/// <summary>Which port of which device, as options name it: <c>device[:port[:gid index]]</c>.</summary>
/// <param name="Device">The device.</param>
/// <param name="Port">Its port, 0 for the first active one.</param>
/// <param name="GidIndex">The row of the port's table of identifiers, −1 to choose.</param>
internal readonly record struct DeviceName(string Device, byte Port, int GidIndex)
{
    /// <summary>Parses an entry of <see cref="VerbsOptions.Devices"/>.</summary>
    /// <exception cref="FabricException">It is not one.</exception>
    public static DeviceName Parse(string text)
    {
        string[] parts = text?.Split(':') ?? [];
        byte port = 0;
        byte gid = 0;
        bool isValid = parts.Length is >= 1 and <= 3
            && parts[0].Length != 0
            && (parts.Length < 2 || (byte.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out port) && port != 0))
            && (parts.Length < 3 || byte.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out gid));
        if (!isValid)
            throw new FabricException($"VerbsOptions.Devices takes \"device\", \"device:port\" or \"device:port:gid\" (gid 0 to 255), like \"mlx5_0:1:3\"; got \"{text}\".");
        return new DeviceName(parts[0], port, parts.Length == 3 ? gid : -1);
    }

    public override string ToString() => Port == 0 ? Device : GidIndex < 0 ? $"{Device}:{Port}" : $"{Device}:{Port}:{GidIndex}";
}
