using System.Runtime.InteropServices;
using Garden.KvCache;

namespace Garden.Weights;

/// <summary>
/// Trainer → trainer: runs of the other's tensors that this one's conversion lacks, and where to write them. The runs are checked
/// against the regions like those of any plan.
/// </summary>
/// <param name="Step">The step.</param>
/// <param name="Counter">What the writes carry.</param>
/// <param name="BufferOffset">Where the task's gather buffer begins in the region.</param>
/// <param name="Buffer">The region of gather buffers.</param>
/// <param name="Pieces">The runs.</param>
internal sealed record WeightGatherRequest(long Step, Immediate Counter, long BufferOffset, MemoryRegionDescriptor Buffer, WeightPiece[] Pieces)
{
    private const long MostRuns = 1 << 24;

    /// <summary>Pieces that fit a message together with the rest; longer lists go in several. Below 1 the messages are too short for any.</summary>
    public static unsafe int MostPieces(int messageLength) =>
        (messageLength - WeightMessageHeader.Length - 20 - MemoryRegionDescriptor.MaxEncodedLength) / sizeof(WeightPiece);

    public byte[] ToBytes()
    {
        ReadOnlySpan<byte> pieces = MemoryMarshal.AsBytes(Pieces.AsSpan());
        byte[] bytes = new byte[WeightMessageHeader.Length + 20 + MemoryRegionDescriptor.MaxEncodedLength + pieces.Length];
        KvMessageWriter writer = WeightMessageHeader.Begin(bytes, WeightMessageKind.Gather, Step);
        writer.UInt32(Counter.Value);
        writer.Offset(BufferOffset);
        writer.Block(Buffer.ToBytes());
        writer.Block(pieces);
        return bytes[..writer.Position];
    }

    public static unsafe WeightGatherRequest Parse(in WeightMessageHeader header, ReadOnlySpan<byte> message, int rank)
    {
        var reader = new KvMessageReader(message[WeightMessageHeader.Length..]);
        var counter = Immediate.FromBits(reader.UInt32("the counter"));
        long offset = reader.Offset("the gather buffer's offset");
        var buffer = MemoryRegionDescriptor.Parse(reader.Block("the gather region"));
        ReadOnlySpan<byte> bytes = reader.Block("the runs");
        reader.End("A gather request");
        if (bytes.Length % sizeof(WeightPiece) != 0)
            throw new DescriptorException($"The runs have {bytes.Length} bytes, which are no whole pieces of {sizeof(WeightPiece)}.");
        WeightPiece[] pieces = MemoryMarshal.Cast<byte, WeightPiece>(bytes).ToArray();
        long runs = 0;
        foreach (ref readonly WeightPiece piece in pieces.AsSpan())
        {
            runs += RequireRuns(in piece, rank);
            // No task has more; what is asked for in one message keeps this rank busy for a moment only.
            if (runs > MostRuns)
                throw new DescriptorException($"A request for more than {MostRuns} runs is none.");
        }

        return new WeightGatherRequest(header.Step, counter, offset, buffer, pieces);
    }

    /// <summary>The runs of a piece, after checking what the arithmetic over it relies on; that it lies inside the regions is checked on submission.</summary>
    private static long RequireRuns(in WeightPiece piece, int rank)
    {
        if (piece.SourceRank != rank)
            throw new DescriptorException($"A run is of trainer rank {piece.SourceRank}; this is rank {rank}.");
        if (piece.Stage != WeightStage.Direct || piece.Length <= 0 || piece.SourceOffset < 0 || piece.DestinationOffset < 0)
            throw new DescriptorException($"A run of {piece.Length} bytes from {piece.SourceOffset} to {piece.DestinationOffset}, stage {(int)piece.Stage}, is none.");
        long runs = 1;
        foreach (ref readonly WeightLevel level in (ReadOnlySpan<WeightLevel>)piece.Levels)
        {
            // A loop that never ends is not begun.
            if (level.Count is < 1 or > MostRuns || level.SourceStride < 0 || level.DestinationStride < 0 || (runs *= level.Count) > MostRuns)
                throw new DescriptorException($"A loop of {level.Count} turns by {level.SourceStride} and {level.DestinationStride} bytes is none.");
        }

        try
        {
            _ = (piece.SourceEnd, piece.DestinationEnd);
        }
        catch (OverflowException)
        {
            throw new DescriptorException("A run's end exceeds 2^63 - 1 bytes.");
        }

        return runs;
    }
}
