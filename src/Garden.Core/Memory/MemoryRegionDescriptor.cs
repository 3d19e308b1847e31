using System.Buffers.Binary;
using System.Text;

namespace Garden;

/// <summary>
/// A region as its owner tells peers about it: who owns it, which generation, how long it is and the keys to reach it. The
/// wire form is versioned and checksummed; parsing trusts no length field.
/// </summary>
/// <remarks>
/// Wire form, little-endian: magic "GRDN" (4), version (1), memory kind (1), route count (1), reserved (1), engine id (8),
/// device (4), generation (4), length (8), then per route: fabric name length (1) and name, NIC (1), base (8), key (8); last a
/// CRC-32C of everything before it (4).
/// </remarks>
public sealed record MemoryRegionDescriptor
{
    /// <summary>The longest wire form in bytes.</summary>
    public const int MaxEncodedLength = HeaderLength + (MaxRoutes * (1 + MaxFabricLength + 1 + 8 + 8)) + 4;

    private const uint Magic = 0x4e445247; // "GRDN"
    private const byte Version = 1;
    private const int HeaderLength = 32;
    private const int MaxRoutes = 16;
    private const int MaxFabricLength = 32;

    /// <summary>The engine that owns the region.</summary>
    public required ulong EngineId { get; init; }

    /// <summary>The owner's device the region is registered with.</summary>
    public required int Device { get; init; }

    /// <summary>The registration's generation; grows when the region is registered again.</summary>
    public required uint Generation { get; init; }

    /// <summary>Length in bytes of what is exported.</summary>
    public required long Length { get; init; }

    /// <summary>Where the memory lives.</summary>
    public MemoryKind Kind { get; init; }

    /// <summary>How to reach it, one entry a NIC.</summary>
    public required IReadOnlyList<RouteEntry> Routes { get; init; }

    /// <summary>Parses the wire form.</summary>
    /// <exception cref="DescriptorException">The bytes are not a descriptor; the message says at which field.</exception>
    public static MemoryRegionDescriptor Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is < HeaderLength + 4 or > MaxEncodedLength)
            throw new DescriptorException($"A region descriptor has {HeaderLength + 4} to {MaxEncodedLength} bytes; got {bytes.Length}.");
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (magic != Magic)
            throw new DescriptorException($"A region descriptor begins with \"GRDN\"; got 0x{magic:x8}.");
        if (bytes[4] != Version)
            throw new DescriptorException($"Region descriptor version {bytes[4]} is not understood (this is version {Version}); use the same Garden version on both sides.");
        uint expected = Crc32C.Of(bytes[..^4]);
        uint found = BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]);
        if (expected != found)
            throw new DescriptorException($"Region descriptor checksum is 0x{found:x8}, its bytes give 0x{expected:x8}: it was damaged or cut on the way.");

        int routeCount = bytes[6];
        long length = BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]);
        if (routeCount is 0 or > MaxRoutes)
            throw new DescriptorException($"A region descriptor has 1 to {MaxRoutes} routes; got {routeCount}.");
        if (length < 0)
            throw new DescriptorException($"A region descriptor's length is 0 or more; got {length}.");
        if (bytes[5] > (byte)MemoryKind.Cuda)
            throw new DescriptorException($"Memory kind {bytes[5]} is unknown.");

        var routes = new RouteEntry[routeCount];
        ReadOnlySpan<byte> rest = bytes[HeaderLength..^4];
        for (int i = 0; i < routes.Length; i++)
            routes[i] = ParseRoute(ref rest, i);
        if (!rest.IsEmpty)
            throw new DescriptorException($"A region descriptor has {rest.Length} bytes after its last route.");
        return new MemoryRegionDescriptor
        {
            Kind = (MemoryKind)bytes[5],
            EngineId = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            Device = BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]),
            Generation = BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
            Length = length,
            Routes = routes,
        };
    }

    /// <summary>The wire form.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[MaxEncodedLength];
        return bytes[..Encode(bytes)];
    }

    /// <summary>Writes the wire form and returns its length.</summary>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is shorter than <see cref="MaxEncodedLength"/>.</exception>
    public int Encode(Span<byte> destination)
    {
        if (destination.Length < MaxEncodedLength)
            throw new ArgumentException($"Needs {MaxEncodedLength} bytes, got {destination.Length}.", nameof(destination));
        if (Routes.Count is 0 or > MaxRoutes)
            throw new DescriptorException($"A region descriptor has 1 to {MaxRoutes} routes; got {Routes.Count}.");
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Magic);
        destination[4] = Version;
        destination[5] = (byte)Kind;
        destination[6] = (byte)Routes.Count;
        destination[7] = 0;
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], EngineId);
        BinaryPrimitives.WriteInt32LittleEndian(destination[16..], Device);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[20..], Generation);
        BinaryPrimitives.WriteInt64LittleEndian(destination[24..], Length);
        int position = HeaderLength;
        foreach (RouteEntry route in Routes)
        {
            int nameLength = Encoding.ASCII.GetBytes(route.Fabric, destination.Slice(position + 1, MaxFabricLength));
            destination[position] = (byte)nameLength;
            position += 1 + nameLength;
            destination[position++] = (byte)route.Nic;
            BinaryPrimitives.WriteUInt64LittleEndian(destination[position..], route.Base);
            BinaryPrimitives.WriteUInt64LittleEndian(destination[(position + 8)..], route.Key);
            position += 16;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(destination[position..], Crc32C.Of(destination[..position]));
        return position + 4;
    }

    private static RouteEntry ParseRoute(ref ReadOnlySpan<byte> rest, int index)
    {
        int nameLength = rest.IsEmpty ? 0 : rest[0];
        if (nameLength is 0 or > MaxFabricLength || rest.Length < 1 + nameLength + 17)
            throw new DescriptorException($"Route {index} of a region descriptor is cut short or its fabric name has {nameLength} bytes (1 to {MaxFabricLength}).");
        string fabric = Encoding.Latin1.GetString(rest.Slice(1, nameLength));
        rest = rest[(1 + nameLength)..];
        int nic = rest[0];
        if (nic >= NetAddress.MaxNics)
            throw new DescriptorException($"Route {index} of a region descriptor names NIC {nic}; there are at most {NetAddress.MaxNics}.");
        var route = new RouteEntry(fabric, nic, BinaryPrimitives.ReadUInt64LittleEndian(rest[1..]), BinaryPrimitives.ReadUInt64LittleEndian(rest[9..]));
        rest = rest[17..];
        return route;
    }
}
