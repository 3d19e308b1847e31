namespace Garden.Weights;

/// <summary>Cuts a range of a grid into pieces of equal runs: at most two ends and the whole rows between them.</summary>
internal static class WeightPieceSplitter
{
    public static int Split(
        in WeightOverlap overlap, WeightGrid grid, in WeightStrides source, in WeightStrides destination, WeightStage stage, ref WeightPieces pieces)
    {
        var splitter = new Cutter(in overlap, grid, in source, in destination, stage);
        long rowElements = grid.Columns * grid.Run;
        long firstWhole = WeightRange.CeilingDivide(overlap.PackedFirst, rowElements);
        long endWhole = overlap.PackedEnd / rowElements;
        if (firstWhole > endWhole)
        {
            splitter.CutRow(endWhole, overlap.PackedFirst % rowElements, overlap.PackedEnd % rowElements, ref pieces);
            return splitter.Count;
        }

        splitter.CutRow(firstWhole - 1, overlap.PackedFirst - ((firstWhole - 1) * rowElements), rowElements, ref pieces);
        splitter.Add(firstWhole, endWhole - firstWhole, 0, grid.Columns, 0, grid.Run, ref pieces);
        splitter.CutRow(endWhole, 0, overlap.PackedEnd % rowElements, ref pieces);
        return splitter.Count;
    }

    private ref struct Cutter
    {
        private readonly ref readonly WeightOverlap _overlap;
        private readonly ref readonly WeightStrides _source;
        private readonly ref readonly WeightStrides _destination;
        private readonly WeightGrid _grid;
        private readonly WeightStage _stage;

        public Cutter(in WeightOverlap overlap, WeightGrid grid, in WeightStrides source, in WeightStrides destination, WeightStage stage)
        {
            _overlap = ref overlap;
            _source = ref source;
            _destination = ref destination;
            _grid = grid;
            _stage = stage;
        }

        public int Count { get; private set; }

        /// <summary>A range of elements inside one row; nothing when it is empty.</summary>
        public void CutRow(long row, long first, long end, ref WeightPieces pieces)
        {
            if (first >= end)
                return;
            long run = _grid.Run;
            long firstWhole = WeightRange.CeilingDivide(first, run), endWhole = end / run;
            if (firstWhole > endWhole)
            {
                Add(row, 1, endWhole, 1, first % run, end - first, ref pieces);
                return;
            }

            Add(row, 1, firstWhole - 1, 1, first - ((firstWhole - 1) * run), (firstWhole * run) - first, ref pieces);
            Add(row, 1, firstWhole, endWhole - firstWhole, 0, run, ref pieces);
            Add(row, 1, endWhole, 1, 0, end % run, ref pieces);
        }

        /// <summary>Equal ranges of whole or single runs; nothing when a count is 0.</summary>
        public void Add(long row, long rows, long column, long columns, long skipped, long elements, ref WeightPieces pieces)
        {
            if (rows == 0 || columns == 0 || elements == 0)
                return;
            long bytes = _overlap.ElementBytes;
            ref WeightPiece piece = ref pieces[Count++];
            piece.SourceOffset = _source.Start + (row * _source.Row) + (column * _source.Column) + (skipped * bytes);
            piece.DestinationOffset = _destination.Start + (row * _destination.Row) + (column * _destination.Column) + (skipped * bytes);
            piece.Length = elements * bytes;
            piece.FirstTensor = _overlap.FirstTensor;
            piece.SourceRank = _overlap.SourceRank;
            piece.DestinationRank = _overlap.DestinationRank;
            piece.Part = _overlap.Part;
            piece.Stage = _stage;
            piece.SetLevels(
            [
                new WeightLevel(_overlap.OuterCount, _source.Outer, _destination.Outer, _overlap.TensorsPerOuter),
                new WeightLevel(_overlap.ExpertCount, _source.Expert, _destination.Expert, 1),
                new WeightLevel(rows, _source.Row, _destination.Row, 0),
                new WeightLevel(columns, _source.Column, _destination.Column, 0),
            ]);
        }
    }
}
