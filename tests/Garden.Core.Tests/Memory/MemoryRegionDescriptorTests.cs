using System.Buffers.Binary;
using System.Numerics;

namespace Garden.Core.Tests.Memory;

public class MemoryRegionDescriptorTests
{
    private static readonly Gen<RouteEntry> s_route = Gen.Select(
        Gen.Char["abcdefghijklmnopqrstuvwxyz0123456789"].Array[1, 32], Gen.Int[0, 7], Gen.ULong, Gen.ULong,
        (name, nic, address, key) => new RouteEntry(new string(name), nic, address, key));

    private static readonly Gen<MemoryRegionDescriptor> s_descriptor = Gen.Select(
        Gen.ULong, Gen.Int[0, 100], Gen.UInt, Gen.Long[0, long.MaxValue], Gen.Bool, s_route.Array[1, 16],
        (engine, device, generation, length, cuda, routes) => new MemoryRegionDescriptor
        {
            EngineId = engine,
            Device = device,
            Generation = generation,
            Length = length,
            Kind = cuda ? MemoryKind.Cuda : MemoryKind.Host,
            Routes = routes,
        });

    [Fact]
    public void WireFormComesBack() => s_descriptor.Sample(descriptor =>
    {
        byte[] bytes = descriptor.ToBytes();
        MemoryRegionDescriptor parsed = MemoryRegionDescriptor.Parse(bytes);
        Assert.Equal(descriptor.Routes, parsed.Routes);
        Assert.Equal(descriptor with { Routes = parsed.Routes }, parsed);
        Assert.Equal(bytes, parsed.ToBytes());
        Assert.InRange(bytes.Length, 1, MemoryRegionDescriptor.MaxEncodedLength);
    });

    [Fact]
    public void CutAtEveryLengthIsRefused()
    {
        byte[] bytes = Sample().ToBytes();
        for (int length = 0; length < bytes.Length; length++)
            Assert.Throws<DescriptorException>(() => MemoryRegionDescriptor.Parse(bytes.AsSpan(0, length)));
        Assert.Throws<DescriptorException>(() => MemoryRegionDescriptor.Parse([.. bytes, 0]));
        Assert.Throws<DescriptorException>(() => MemoryRegionDescriptor.Parse(new byte[1 << 20]));
    }

    [Fact]
    public void EveryFlippedBitIsRefused()
    {
        byte[] bytes = Sample().ToBytes();
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<DescriptorException>(() => MemoryRegionDescriptor.Parse(bytes));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.Equal(7, MemoryRegionDescriptor.Parse(bytes).Device);
    }

    [Fact]
    public void EveryByteValueWithARightChecksumParsesOrIsRefused()
    {
        byte[] original = Sample().ToBytes();
        for (int at = 0; at < original.Length - 4; at++)
        {
            for (int value = 0; value < 256; value++)
            {
                byte[] bytes = [.. original];
                bytes[at] = (byte)value;
                ParseOrRefuse(WithChecksum(bytes));
            }
        }
    }

    [Theory]
    [InlineData(6, 0)]
    [InlineData(6, 3)]
    [InlineData(6, 17)]
    [InlineData(6, 255)]
    [InlineData(5, 2)]
    [InlineData(4, 2)]
    [InlineData(31, 0x80)]
    [InlineData(32, 0)]
    [InlineData(32, 33)]
    [InlineData(32, 255)]
    [InlineData(41, 8)]
    public void AbsurdFieldWithARightChecksumIsRefused(int at, byte value)
    {
        byte[] bytes = Sample().ToBytes();
        bytes[at] = value;
        Assert.Throws<DescriptorException>(() => MemoryRegionDescriptor.Parse(WithChecksum(bytes)));
    }

    [Fact]
    public void RandomBytesParseOrAreRefused()
    {
        Gen.Byte.Array[0, MemoryRegionDescriptor.MaxEncodedLength + 10].Sample(ParseOrRefuse);
        Gen.Byte.Array[40, 200].Sample(bytes =>
        {
            Sample().ToBytes().AsSpan(0, 5).CopyTo(bytes);
            ParseOrRefuse(WithChecksum(bytes));
        });
    }

    [Fact]
    public void EncodingChecksItsInput()
    {
        Assert.Throws<ArgumentException>(() => Sample().Encode(new byte[10]));
        Assert.Throws<DescriptorException>(() => (Sample() with { Routes = [] }).ToBytes());
        Assert.Throws<DescriptorException>(() => (Sample() with { Routes = [.. Enumerable.Repeat(Sample().Routes[0], 17)] }).ToBytes());
    }

    private static MemoryRegionDescriptor Sample() => new()
    {
        EngineId = 0x1122334455667788,
        Device = 7,
        Generation = 3,
        Length = 1 << 30,
        Routes = [new RouteEntry("loopback", 0, 0x1000, 42), new RouteEntry("verbs", 1, 0x2000, 43)],
    };

    private static void ParseOrRefuse(byte[] bytes)
    {
        try
        {
            MemoryRegionDescriptor parsed = MemoryRegionDescriptor.Parse(bytes);
            Assert.True(parsed.Length >= 0);
            Assert.InRange(parsed.Routes.Count, 1, 16);
            Assert.All(parsed.Routes, route => Assert.InRange(route.Nic, 0, NetAddress.MaxNics - 1));
        }
        catch (DescriptorException)
        {
            // The one way to refuse.
        }
    }

    private static byte[] WithChecksum(byte[] bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes.AsSpan(0, bytes.Length - 4))
            crc = BitOperations.Crc32C(crc, value);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(bytes.Length - 4), ~crc);
        return bytes;
    }
}
