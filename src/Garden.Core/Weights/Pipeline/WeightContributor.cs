namespace Garden.Weights;

/// <summary>What an inference rank gets from one trainer rank in every update.</summary>
internal sealed class WeightContributor
{
    private readonly WeightPiece[][] _sends;

    private WeightContributor(WeightExpectation expectation, WeightPiece[][] sends, int firstHash)
    {
        (Rank, Units, _sends, FirstHash) = (expectation.SourceRank, expectation.Units, sends, firstHash);
        Hashes = sends.Sum(HashesOf);
    }

    /// <summary>The trainer rank.</summary>
    public int Rank { get; }

    /// <summary>Units of the tensors it sends.</summary>
    public long Units { get; }

    /// <summary>The first of its hashes among all that the rank receives.</summary>
    public int FirstHash { get; }

    /// <summary>Number of its hashes; 0 without verification.</summary>
    public int Hashes { get; }

    /// <summary>The contributors of a rank, in the order of their ranks. With verification each one's plan is worked out, for the places of what it sends.</summary>
    public static WeightContributor[] Of(WeightSchedule schedule, int rank, bool verify)
    {
        var contributors = new List<WeightContributor>();
        int hashes = 0;
        foreach (WeightExpectation expectation in schedule.Expectations(rank))
        {
            var contributor = new WeightContributor(expectation, verify ? SendsOf(schedule, expectation.SourceRank, rank) : [], hashes);
            hashes = checked(hashes + contributor.Hashes);
            contributors.Add(contributor);
        }

        return [.. contributors];
    }

    /// <summary>Compares what has arrived with the hashes that came along.</summary>
    /// <param name="tensors">The rank's tensors.</param>
    /// <param name="sent">The trainer's hashes.</param>
    /// <param name="hasher">Hashes.</param>
    /// <param name="found">Called with the pieces and the block of each difference.</param>
    /// <param name="cancellationToken">Looked at before each send.</param>
    public void Verify(nint tensors, ReadOnlySpan<ulong> sent, WeightHasher hasher, Action<WeightPiece[], int> found, CancellationToken cancellationToken)
    {
        Span<ulong> arrived = stackalloc ulong[64];
        foreach (WeightPiece[] pieces in _sends)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = HashesOf(pieces);
            Span<ulong> hashes = count <= arrived.Length ? arrived[..count] : new ulong[count];
            // The pieces are this rank's plan's, whose tensors fit the buffer.
            hasher.Destination(pieces, tensors, hashes);
            for (int block = 0; block < count; block++)
            {
                if (hashes[block] != sent[block])
                    found(pieces, block);
            }

            sent = sent[count..];
        }
    }

    private static int HashesOf(WeightPiece[] pieces)
    {
        long bytes = 0;
        foreach (ref readonly WeightPiece piece in pieces.AsSpan())
            bytes += piece.Bytes;
        return WeightHasher.BlocksOf(bytes);
    }

    private static WeightPiece[][] SendsOf(WeightSchedule schedule, int source, int destination)
    {
        using WeightSenderPlan plan = schedule.SenderPlan(source);
        var sends = new List<WeightPiece[]>();
        foreach (ref readonly WeightTask task in plan.Tasks)
        {
            foreach (ref readonly WeightSend send in plan.SendsOf(in task))
            {
                if (send.DestinationRank == destination)
                    sends.Add(plan.Handle.Items.Slice(send.FirstPiece, send.PieceCount).ToArray());
            }
        }

        return [.. sends];
    }
}
