using System.Buffers.Binary;
using System.Text;

namespace Garden.KvCache;

/// <summary>Reads fields one after another; every read is checked against what is left, so no length field is trusted.</summary>
internal ref struct KvMessageReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public byte Byte(string field) => Take(1, field)[0];

    public ushort UInt16(string field) => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, field));

    public uint UInt32(string field) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, field));

    public ulong UInt64(string field) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, field));

    /// <summary>A 32-bit number that must be 0 or more.</summary>
    public int Count(string field)
    {
        int value = BinaryPrimitives.ReadInt32LittleEndian(Take(4, field));
        return value >= 0 ? value : throw new DescriptorException($"{field} is {value}; it must be 0 or more.");
    }

    /// <summary>A 64-bit number that must be 0 or more.</summary>
    public long Offset(string field)
    {
        long value = BinaryPrimitives.ReadInt64LittleEndian(Take(8, field));
        return value >= 0 ? value : throw new DescriptorException($"{field} is {value}; it must be 0 or more.");
    }

    /// <summary>Bytes behind a 32-bit length.</summary>
    public ReadOnlySpan<byte> Block(string field) => Take(Count(field), field);

    /// <summary>Text behind a 32-bit length; bytes that are not UTF-8 become replacement characters.</summary>
    public string Text(string field) => Encoding.UTF8.GetString(Block(field));

    /// <summary>32-bit numbers of 0 or more behind their count.</summary>
    public int[] Counts(string field)
    {
        int count = Count(field);
        if (count > _rest.Length / sizeof(int))
            throw new DescriptorException($"{field} has {count} entries; only {_rest.Length} bytes are left.");
        int[] values = new int[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = Count(field);
        return values;
    }

    public readonly ReadOnlySpan<byte> Rest => _rest;

    public readonly void End(string message)
    {
        if (!_rest.IsEmpty)
            throw new DescriptorException($"{message} has {_rest.Length} bytes after its last field.");
    }

    private ReadOnlySpan<byte> Take(int length, string field)
    {
        if (length > _rest.Length)
            throw new DescriptorException($"{field} needs {length} bytes; only {_rest.Length} are left: the message was cut.");
        ReadOnlySpan<byte> taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}
