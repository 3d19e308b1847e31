using System.Buffers.Binary;
using System.Text;

namespace Garden.KvCache;

/// <summary>Writes fields one after another; the counterpart of <see cref="KvMessageReader"/>.</summary>
internal ref struct KvMessageWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    public int Position { get; private set; }

    public void Byte(byte value) => _destination[Position++] = value;

    public void UInt16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Next(2), value);

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Next(4), value);

    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Next(8), value);

    public void Count(int value) => BinaryPrimitives.WriteInt32LittleEndian(Next(4), value);

    public void Offset(long value) => BinaryPrimitives.WriteInt64LittleEndian(Next(8), value);

    public void Block(ReadOnlySpan<byte> value)
    {
        Count(value.Length);
        Bytes(value);
    }

    public void Text(string value) => Block(Encoding.UTF8.GetBytes(value));

    public void Counts(ReadOnlySpan<int> values)
    {
        Count(values.Length);
        foreach (int value in values)
            Count(value);
    }

    public void Bytes(ReadOnlySpan<byte> value) => value.CopyTo(Next(value.Length));

    private Span<byte> Next(int length)
    {
        Span<byte> next = _destination.Slice(Position, length);
        Position += length;
        return next;
    }
}
