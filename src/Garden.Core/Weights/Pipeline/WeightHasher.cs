using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Garden.Weights;

/// <summary>
/// Hashes what a list of pieces moves, at its source or at its destination: the bytes of all runs one behind the other, cut into
/// blocks of <see cref="BlockBytes"/>, one XXH3 (64 bits) a block. Not thread-safe; allocates only when it is made.
/// </summary>
/// <param name="queue">Of the device whose memory is hashed, by way of the host; null for host memory.</param>
internal sealed class WeightHasher(IWeightQueue? queue)
{
    /// <summary>Bytes a hash: small enough to say where, and 1/32768 of the data.</summary>
    public const int BlockBytes = 256 << 10;

    private readonly XxHash3 _hash = new();
    private readonly byte[] _fetched = queue is null ? [] : GC.AllocateArray<byte>(BlockBytes, pinned: true);

    /// <summary>Hashes of a stream of bytes; 0 for none.</summary>
    public static int BlocksOf(long bytes) => (int)WeightRange.CeilingDivide(bytes, BlockBytes);

    /// <summary>Hashes pieces where they come from.</summary>
    /// <param name="pieces">The pieces; each lies inside the memory it names.</param>
    /// <param name="tensors">The sender's tensors.</param>
    /// <param name="staging">The staging memory that staged pieces count from.</param>
    /// <param name="hashes">As many as <see cref="BlocksOf"/> the pieces' bytes.</param>
    public void Source(ReadOnlySpan<WeightPiece> pieces, nint tensors, nint staging, Span<ulong> hashes)
    {
        var blocks = new Blocks(this, hashes);
        foreach (ref readonly WeightPiece piece in pieces)
        {
            nint memory = piece.Stage == WeightStage.Direct ? tensors : staging;
            for (long outer = 0; outer < piece.OuterTurns; outer++)
            {
                for (long inner = 0; inner < piece.Levels[WeightLevels.Count - 1].Count; inner++)
                    blocks.Append(memory + (nint)piece.RunAt(outer, inner).SourceOffset, piece.Length);
            }
        }

        blocks.End();
    }

    /// <summary>Hashes pieces where they have arrived.</summary>
    /// <param name="pieces">The pieces; each ends inside the receiver's tensors.</param>
    /// <param name="tensors">The receiver's tensors.</param>
    /// <param name="hashes">As many as <see cref="BlocksOf"/> the pieces' bytes.</param>
    public void Destination(ReadOnlySpan<WeightPiece> pieces, nint tensors, Span<ulong> hashes)
    {
        var blocks = new Blocks(this, hashes);
        foreach (ref readonly WeightPiece piece in pieces)
        {
            for (long outer = 0; outer < piece.OuterTurns; outer++)
            {
                for (long inner = 0; inner < piece.Levels[WeightLevels.Count - 1].Count; inner++)
                    blocks.Append(tensors + (nint)piece.RunAt(outer, inner).DestinationOffset, piece.Length);
            }
        }

        blocks.End();
    }

    /// <summary>The first run that a block has bytes of, and where at the destination the block's bytes begin and end.</summary>
    public static (WeightRun Run, long First, long End) Locate(ReadOnlySpan<WeightPiece> pieces, int block)
    {
        long from = (long)block * BlockBytes, to = from + BlockBytes, position = 0;
        WeightRun? first = null;
        (long begin, long end) = (long.MaxValue, 0);
        foreach (ref readonly WeightPiece piece in pieces)
        {
            for (long outer = 0; outer < piece.OuterTurns && position < to; outer++)
            {
                for (long inner = 0; inner < piece.Levels[WeightLevels.Count - 1].Count && position < to; inner++)
                {
                    long runEnd = position + piece.Length;
                    if (runEnd > from)
                    {
                        WeightRun run = piece.RunAt(outer, inner);
                        first ??= run;
                        begin = Math.Min(begin, run.DestinationOffset + Math.Max(0, from - position));
                        end = Math.Max(end, run.DestinationOffset + Math.Min(piece.Length, to - position));
                    }

                    position = runEnd;
                }
            }
        }

        return (first ?? throw new ArgumentOutOfRangeException(nameof(block), block, $"The pieces have {BlocksOf(position)} blocks."), begin, end);
    }

    /// <summary>Safe: the plan of the pieces was validated against both regions when it was submitted, or is built by the planner for them, and <paramref name="length"/> is a block's at most.</summary>
    private unsafe void Append(nint bytes, int length)
    {
        if (queue is not null)
        {
            nint fetched = Marshal.UnsafeAddrOfPinnedArrayElement(_fetched, 0);
            queue.Copy(bytes, fetched, length);
            queue.Wait();
            bytes = fetched;
        }

        _hash.Append(new ReadOnlySpan<byte>((void*)bytes, length));
    }

    /// <summary>Cuts a stream into blocks.</summary>
    private ref struct Blocks(WeightHasher hasher, Span<ulong> hashes)
    {
        private readonly Span<ulong> _hashes = hashes;
        private int _written;
        private int _filled;

        public void Append(nint bytes, long length)
        {
            while (length > 0)
            {
                int part = (int)Math.Min(length, BlockBytes - _filled);
                hasher.Append(bytes, part);
                _filled += part;
                bytes += part;
                length -= part;
                if (_filled == BlockBytes)
                    End();
            }
        }

        public void End()
        {
            if (_filled == 0)
                return;
            _hashes[_written++] = hasher._hash.GetCurrentHashAsUInt64();
            hasher._hash.Reset();
            _filled = 0;
        }
    }
}
