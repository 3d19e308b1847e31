using System.Text;
using Garden.KvCache;

namespace Garden.Weights;

/// <summary>A message that is nothing but a text: a welcome's name, a refusal's reason, or why a step failed (empty when it did not).</summary>
internal readonly record struct WeightReply(WeightMessageKind Kind, long Step, string Text)
{
    private const int MostTextBytes = 2000;

    public byte[] ToBytes()
    {
        ReadOnlySpan<byte> text = Encoding.UTF8.GetBytes(Text);
        if (text.Length > MostTextBytes)
            text = Cut(text);
        byte[] bytes = new byte[WeightMessageHeader.Length + 4 + text.Length];
        KvMessageWriter writer = WeightMessageHeader.Begin(bytes, Kind, Step);
        writer.Block(text);
        return bytes;
    }

    /// <summary>A long text ends in "…", and never inside a character.</summary>
    private static ReadOnlySpan<byte> Cut(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> more = "…"u8;
        int length = MostTextBytes - more.Length;
        // Bytes of 10xxxxxx go on with a character that began before.
        while ((text[length] & 0xC0) == 0x80)
            length--;
        return (byte[])[.. text[..length], .. more];
    }

    public static WeightReply Parse(in WeightMessageHeader header, ReadOnlySpan<byte> message)
    {
        var reader = new KvMessageReader(message[WeightMessageHeader.Length..]);
        var reply = new WeightReply(header.Kind, header.Step, reader.Text("the text"));
        reader.End("A reply");
        return reply;
    }
}
