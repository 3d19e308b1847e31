using System.Text;

namespace Garden.KvCache;

/// <summary>Prefiller → decoder: refused. The body is the reason in UTF-8 to the end of the message, in every version.</summary>
internal readonly record struct KvRefusal(ulong Session, string Reason)
{
    public byte[] ToBytes()
    {
        byte[] reason = Encoding.UTF8.GetBytes(Reason);
        byte[] bytes = new byte[KvMessageHeader.Length + reason.Length];
        KvMessageHeader.Begin(bytes, KvMessageKind.Refusal, Session, 0).Bytes(reason);
        return bytes;
    }

    public static KvRefusal Parse(in KvMessageHeader header, ReadOnlySpan<byte> body) => new(header.Session, Encoding.UTF8.GetString(body));
}
