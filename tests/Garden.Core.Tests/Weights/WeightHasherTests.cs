using System.IO.Hashing;
using Garden.Testing;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

public sealed unsafe class WeightHasherTests
{
    private const int Length = 70_000;

    /// <summary>Runs of one piece behind one another are hashed as one stream, in blocks; where they lie makes no difference.</summary>
    [Fact]
    public void Both_ends_of_pieces_have_the_same_hashes_which_are_those_of_their_bytes()
    {
        using NativeBuffer source = new(1 << 21), staging = new(1 << 21), destination = new(1 << 21);
        new Random(5).NextBytes(source.Span(0, (int)source.Length));
        new Random(6).NextBytes(staging.Span(0, (int)staging.Length));
        WeightPiece[] pieces = Pieces();
        byte[] stream = Move(pieces, source, staging, destination);
        int blocks = WeightHasher.BlocksOf(stream.Length);
        Assert.Equal(3, blocks);
        ulong[] sent = new ulong[blocks], arrived = new ulong[blocks];
        var hasher = new WeightHasher(null);
        hasher.Source(pieces, (nint)source.Pointer, (nint)staging.Pointer, sent);
        hasher.Destination(pieces, (nint)destination.Pointer, arrived);
        Assert.Equal(sent, arrived);
        for (int block = 0; block < blocks; block++)
            Assert.Equal(XxHash3.HashToUInt64(stream.AsSpan(block * WeightHasher.BlockBytes, Math.Min(WeightHasher.BlockBytes, stream.Length - (block * WeightHasher.BlockBytes)))), sent[block]);
        Assert.Equal(0, Allocations.Least(() => hasher.Destination(pieces, (nint)destination.Pointer, arrived)));
    }

    /// <summary>Whichever byte differs, its block is found and the range that is named holds it.</summary>
    [Fact]
    public void Every_changed_byte_is_found_in_the_range_that_is_named()
    {
        using NativeBuffer source = new(1 << 21), staging = new(1 << 21), destination = new(1 << 21);
        WeightPiece[] pieces = Pieces();
        byte[] stream = Move(pieces, source, staging, destination);
        int blocks = WeightHasher.BlocksOf(stream.Length);
        ulong[] sent = new ulong[blocks], arrived = new ulong[blocks];
        var hasher = new WeightHasher(null);
        hasher.Source(pieces, (nint)source.Pointer, (nint)staging.Pointer, sent);
        Gen.Select(Gen.Int[0, pieces.Length - 1], Gen.Int[0, 100], Gen.Int[0, Length - 1]).Sample(
            (which, index, at) =>
            {
                ref readonly WeightPiece piece = ref pieces[which];
                WeightRun run = piece.RunAt(index % piece.OuterTurns, index % piece.Levels[3].Count);
                long offset = run.DestinationOffset + (at % piece.Length);
                destination.Span(offset, 1)[0] ^= 1;
                hasher.Destination(pieces, (nint)destination.Pointer, arrived);
                destination.Span(offset, 1)[0] ^= 1;
                int[] different = [.. Enumerable.Range(0, blocks).Where(block => arrived[block] != sent[block])];
                int found = Assert.Single(different);
                (WeightRun first, long begin, long end) = WeightHasher.Locate(pieces, found);
                Assert.InRange(offset, begin, end - 1);
                Assert.InRange(first.DestinationOffset + first.Length, begin + 1, long.MaxValue);
            },
            iter: 200,
            threads: 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightHasher.Locate(pieces, blocks));
    }

    private static byte[] Move(WeightPiece[] pieces, NativeBuffer source, NativeBuffer staging, NativeBuffer destination)
    {
        var stream = new List<byte>();
        foreach (WeightPiece piece in pieces)
        {
            for (long outer = 0; outer < piece.OuterTurns; outer++)
            {
                for (long inner = 0; inner < piece.Levels[3].Count; inner++)
                {
                    WeightRun run = piece.RunAt(outer, inner);
                    Span<byte> bytes = (piece.Stage == WeightStage.Direct ? source : staging).Span(run.SourceOffset, (int)run.Length);
                    bytes.CopyTo(destination.Span(run.DestinationOffset, (int)run.Length));
                    stream.AddRange(bytes);
                }
            }
        }

        return [.. stream];
    }

    /// <summary>Two pieces, one of them staged: 8 runs in all, no two of which lie behind one another.</summary>
    private static WeightPiece[] Pieces()
    {
        var direct = new WeightPiece { SourceOffset = 100, DestinationOffset = 1 << 20, Length = Length };
        direct.SetLevels([new WeightLevel(2, 400_000, 300_000, 8), new WeightLevel(3, 100_000, 80_000, 1), new WeightLevel(1, 0, 0, 0), new WeightLevel(1, 0, 0, 0)]);
        var staged = new WeightPiece { SourceOffset = 0, DestinationOffset = 64, Length = 123_457, Stage = WeightStage.Converted };
        staged.SetLevels([new WeightLevel(2, 123_457, 200_000, 1), new WeightLevel(1, 0, 0, 0), new WeightLevel(1, 0, 0, 0), new WeightLevel(1, 0, 0, 0)]);
        return [direct, staged];
    }
}
