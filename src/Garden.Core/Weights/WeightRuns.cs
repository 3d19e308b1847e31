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
    private WeightLevel _level;
    private WeightRun _run;
    private long _tensor;
    private long _sourceOffset;
    private long _destinationOffset;

    internal WeightRuns(WeightMesh trainer, WeightMesh inference, int rank, bool sends)
    {
        (_trainer, _inference, _rank, _sends) = (trainer, inference, rank, sends);
        int own = sends ? trainer.Ranks : inference.Ranks;
        _peers = sends ? inference.Ranks : trainer.Ranks;
        _firstPeer = (int)((long)rank * _peers / own);
        _overlaps = OverlapsWith(0);
    }

    /// <summary>The run that the last <see cref="MoveNext"/> found.</summary>
    public readonly WeightRun Current => _run with { Tensor = (int)_tensor, SourceOffset = _sourceOffset, DestinationOffset = _destinationOffset };

    /// <summary>Itself, so that <c>foreach</c> works.</summary>
    public readonly WeightRuns<TMap> GetEnumerator() => this;

    /// <summary>Goes to the next run; false at the end.</summary>
    public bool MoveNext()
    {
        // Most steps stay in the innermost loop of a piece.
        if (++_inner < _level.Count)
        {
            _tensor += _level.TensorStride;
            _sourceOffset += _level.SourceStride;
            _destinationOffset += _level.DestinationStride;
            return true;
        }

        return MoveOut();
    }

    private bool MoveOut()
    {
        if (_piece < _pieceCount && ++_outer == _pieces[_piece].OuterTurns)
        {
            _outer = 0;
            _piece++;
        }

        if (_piece == _pieceCount && !MoveToPieces())
        {
            _level = default;
            return false;
        }

        ref readonly WeightPiece piece = ref _pieces[_piece];
        _inner = 0;
        _level = piece.Levels[WeightLevels.Count - 1];
        _run = piece.RunAt(_outer, 0);
        (_tensor, _sourceOffset, _destinationOffset) = (_run.Tensor, _run.SourceOffset, _run.DestinationOffset);
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
