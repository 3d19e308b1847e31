using System.Buffers.Binary;

namespace KvStreaming;

/// <summary>What the decoder tells the model loop about a request, in the request's opaque payload.</summary>
/// <param name="Request">Number of the request in the workload.</param>
/// <param name="Position">Position in the prompt of the first page that is to be computed; the pages before are resident at the decoder.</param>
internal readonly record struct RequestTag(int Request, int Position)
{
    public static RequestTag Parse(ReadOnlySpan<byte> payload) =>
        new(BinaryPrimitives.ReadInt32LittleEndian(payload), BinaryPrimitives.ReadInt32LittleEndian(payload[4..]));

    public byte[] ToBytes()
    {
        byte[] payload = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(payload, Request);
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(4), Position);
        return payload;
    }
}
