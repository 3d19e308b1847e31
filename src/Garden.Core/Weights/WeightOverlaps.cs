namespace Garden.Weights;

/// <summary>Walks the rows of a map for one sender and one receiver: what the one owes the other, row by row.</summary>
internal struct WeightOverlaps<TMap>(WeightMesh trainer, WeightMesh inference, int sourceRank, int destinationRank)
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private int _next;
    private long _sourceBase;
    private WeightOutput _output;

    /// <summary>The next overlap; false at the end.</summary>
    public bool MoveNext(out WeightOverlap overlap)
    {
        ReadOnlySpan<WeightPart> parts = WeightPart.Of<TMap>();
        while (_next < parts.Length)
        {
            int index = _next++;
            ref readonly WeightPart part = ref parts[index];
            WeightSide source = WeightSides.AtTrainer(in part, in trainer, sourceRank, _sourceBase);
            _sourceBase += WeightSides.BytesHeld(in part, in source);
            _output.MoveTo(index, parts, in inference, destinationRank);
            WeightSide destination = _output.Side(in part, in inference, destinationRank);
            if (part.IsConverted)
                source = source with { Box = source.Box.OwnedBlocks(in part) };
            if (part.IsScales)
                source = source with { Box = source.Box.InBlocks(part.Block) };
            if (WeightOverlap.TryCreate(index, in part, in source, in destination, out overlap))
                return true;
        }

        overlap = default;
        return false;
    }
}
