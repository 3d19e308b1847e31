namespace Garden.Weights;

/// <summary>
/// All that one rank sends, or all that one receives: peer by peer, row by row, in the order the plans write it. Computes as it
/// goes and allocates nothing.
/// </summary>
/// <remarks>Peers come in an order that begins at another one on every rank, so that ranks in step do not all meet at one.</remarks>
/// <typeparam name="TMap">The map.</typeparam>
public struct WeightRuns<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private readonly WeightMesh _trainer;
    private readonly WeightMesh _inference;
    private readonly int _rank;
    private readonly int _firstPeer;
    private readonly int _peers;
    private readonly bool _sends;
    private int _peer;
    private WeightOverlaps<TMap> _overlaps;
    private WeightPieces _pieces;
    private int _pieceCount;
    private int _piece;
    private long _staging;
    private long _outer;
    private long _inner;
    private WeightRun _current;

    internal WeightRuns(WeightMesh trainer, WeightMesh inference, int rank, bool sends)
    {
        (_trainer, _inference, _rank, _sends) = (trainer, inference, rank, sends);
        int own = sends ? trainer.Ranks : inference.Ranks;
        _peers = sends ? inference.Ranks : trainer.Ranks;
        _firstPeer = (int)((long)rank * _peers / own);
        _overlaps = OverlapsWith(0);
    }

    /// <summary>The run that the last <see cref="MoveNext"/> found.</summary>
    public readonly WeightRun Current => _current;

    /// <summary>Itself, so that <c>foreach</c> works.</summary>
    public readonly WeightRuns<TMap> GetEnumerator() => this;

    /// <summary>Goes to the next run; false at the end.</summary>
    public bool MoveNext()
    {
        if (_piece == _pieceCount && !MoveToPieces())
            return false;
        ref readonly WeightPiece piece = ref _pieces[_piece];
        _current = piece.RunAt(_outer, _inner);
        if (++_inner == piece.Levels[WeightLevels.Count - 1].Count)
        {
            _inner = 0;
            if (++_outer == piece.OuterTurns)
            {
                _outer = 0;
                _piece++;
            }
        }

        return true;
    }

    private bool MoveToPieces()
    {
        WeightOverlap overlap;
        while (!_overlaps.MoveNext(out overlap))
        {
            if (++_peer >= _peers)
                return false;
            _overlaps = OverlapsWith(_peer);
            _staging = 0;
        }

        _pieceCount = overlap.Write(_staging, ref _pieces);
        _piece = 0;
        _staging += overlap.StagingBytes;
        return true;
    }

    private readonly WeightOverlaps<TMap> OverlapsWith(int turn)
    {
        int peer = (int)(((long)_firstPeer + turn) % _peers);
        return _sends ? new(_trainer, _inference, _rank, peer) : new(_trainer, _inference, peer, _rank);
    }
}
