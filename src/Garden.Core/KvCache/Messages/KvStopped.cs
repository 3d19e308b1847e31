using System.Text;

namespace Garden.KvCache;

/// <summary>
/// Prefiller → decoder: nothing of a request will be posted any more. When <paramref name="Drained"/>, nothing of it is on its
/// way either once <paramref name="Fences"/> units have arrived at the fence the decoder's cancellation named.
/// </summary>
internal readonly record struct KvStopped(ulong Session, ulong Sequence, bool Drained, bool AnswersCancel, int Fences, string Reason)
{
    private const int MaxReasonLength = 1024;
    private const byte DrainedFlag = 1;
    private const byte AnswersCancelFlag = 2;

    public byte[] ToBytes()
    {
        byte[] reason = Encoding.UTF8.GetBytes(Reason);
        reason = reason[..Math.Min(reason.Length, MaxReasonLength)];
        byte[] bytes = new byte[KvMessageHeader.Length + 1 + 4 + 4 + reason.Length];
        KvMessageWriter writer = KvMessageHeader.Begin(bytes, KvMessageKind.Stopped, Session, Sequence);
        writer.Byte((byte)((Drained ? DrainedFlag : 0) | (AnswersCancel ? AnswersCancelFlag : 0)));
        writer.Count(Fences);
        writer.Block(reason);
        return bytes;
    }

    public static KvStopped Parse(in KvMessageHeader header, ReadOnlySpan<byte> body)
    {
        var reader = new KvMessageReader(body);
        byte flags = reader.Byte("the flags");
        int fences = reader.Count("the number of fences");
        string reason = reader.Text("the reason");
        reader.End("A stop");
        // A stop that cannot be trusted must not free pages.
        if ((flags & ~(DrainedFlag | AnswersCancelFlag)) != 0)
            throw new DescriptorException($"A stop has unknown flags 0x{flags:x2}.");
        if (fences > NetAddress.MaxNics)
            throw new DescriptorException($"A request uses at most {NetAddress.MaxNics} lanes; got {fences} fences.");
        return new KvStopped(header.Session, header.Sequence, (flags & DrainedFlag) != 0, (flags & AnswersCancelFlag) != 0, fences, reason);
    }
}
