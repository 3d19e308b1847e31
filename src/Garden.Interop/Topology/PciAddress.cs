using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Garden.Interop.Topology;

/// <summary>Where a function sits on PCI; prints as Linux does: <c>0000:1b:00.0</c>.</summary>
/// <param name="Domain">The segment; 16 bits of it are common, some hosts number further.</param>
/// <param name="Bus">Bus of the domain.</param>
/// <param name="Device">Device of the bus, 0 … 31.</param>
/// <param name="Function">Function of the device, 0 … 7.</param>
public readonly record struct PciAddress(uint Domain, byte Bus, byte Device, byte Function)
{
    /// <summary>By which addresses are put in order.</summary>
    internal ulong Order => ((ulong)Domain << 16) | ((uint)Bus << 8) | ((uint)Device << 3) | Function;

    /// <summary>
    /// Reads <c>domain:bus:device.function</c> in hexadecimal, of either case and with any number of leading zeros, so that what CUDA
    /// (<c>cuDeviceGetPCIBusId</c>) and nvidia-smi print is read too; <c>bus:device.function</c> is of domain 0.
    /// </summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public static PciAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out PciAddress address) ? address : throw new FormatException($"\"{text}\" is no PCI address; one looks like 0000:1b:00.0.");
    }

    /// <summary>Reads what <see cref="Parse"/> reads; false for anything else.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out PciAddress address)
    {
        address = default;
        if (text?.Split(':') is not [.. { Length: <= 1 } domain, var bus, var rest] || rest.Split('.') is not [var device, var function])
            return false;
        uint segment = 0;
        if (!((domain is [] || Hexadecimal(domain[0], uint.MaxValue, out segment))
            && Hexadecimal(bus, byte.MaxValue, out uint busNumber) && Hexadecimal(device, 31, out uint deviceNumber) && Hexadecimal(function, 7, out uint functionNumber)))
        {
            return false;
        }

        address = new PciAddress(segment, (byte)busNumber, (byte)deviceNumber, (byte)functionNumber);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Domain:x4}:{Bus:x2}:{Device:x2}.{Function:x}");

    private static bool Hexadecimal(string text, uint most, out uint value) =>
        uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && value <= most;
}
