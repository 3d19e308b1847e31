namespace Garden.Weights;

/// <summary>A trainer's tensors out of a checkpoint: each rank reads what it holds of each tensor, row by row, straight from the mapped files.</summary>
/// <typeparam name="TMap">The map whose names the checkpoint has.</typeparam>
public sealed class SafetensorsSource<TMap> : IWeightSource
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private readonly (SafetensorsFile File, SafetensorsTensor Tensor)[] _tensors = new (SafetensorsFile, SafetensorsTensor)[TMap.TensorCount];

    /// <summary>Finds every tensor of the map in the checkpoint, which must stay open.</summary>
    /// <exception cref="SafetensorsException">A tensor is missing, or has another shape or element type than the map says.</exception>
    public SafetensorsSource(SafetensorsCheckpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        foreach (ref readonly WeightPart part in WeightPart.Of<TMap>())
        {
            if (part.IsScales)
                continue;
            for (int i = 0; i < part.Outers * part.Experts; i++)
            {
                int number = part.FirstTensor + i;
                string name = WeightNames.Format<TMap>(in part, number);
                if (!checkpoint.TryFind(name, out SafetensorsFile file, out SafetensorsTensor tensor))
                    throw new SafetensorsException(checkpoint.Directory, $"there is no tensor \"{name}\", which {typeof(TMap).Name} has.");
                Require(file, tensor, in part);
                _tensors[number] = (file, tensor);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken)
    {
        (SafetensorsFile file, SafetensorsTensor described) = _tensors[tensor];
        Copy(file, described, in holding, memory, cancellationToken);
        return ValueTask.CompletedTask;
    }

    private static void Require(SafetensorsFile file, SafetensorsTensor tensor, in WeightPart part)
    {
        // Dimensions that a tensor lacks count 1; those beyond the third belong to the map's element.
        IReadOnlyList<long> shape = tensor.Shape;
        if (part.Rows != SizeOf(shape, 0) || part.Columns != SizeOf(shape, 1) || part.Depth != SizeOf(shape, 2))
            throw new SafetensorsException(file.Path, $"{tensor} has another shape than the map's {part.Rows} × {part.Columns} × {part.Depth}.");
        long bytes = shape.Skip(3).Aggregate((long)SafetensorsElements.BytesOf(tensor.Element), static (bytes, size) => bytes * size);
        if (bytes != part.TrainerBytes)
            throw new SafetensorsException(file.Path, $"{tensor} has elements of {bytes} bytes; the map says {part.TrainerBytes}.");
        // Nobody would notice later: both sides would hash the same garbage.
        SafetensorsElement expected = SafetensorsElements.Of(part.Element);
        if (tensor.Element != expected)
            throw new SafetensorsException(file.Path, $"{tensor} has elements of {SafetensorsElements.NameOf(tensor.Element)}; the map says {SafetensorsElements.NameOf(expected)}{(part.IsConverted ? ", which it converts" : "")}.");
    }

    private static long SizeOf(IReadOnlyList<long> shape, int dimension) => dimension < shape.Count ? shape[dimension] : 1;

    /// <summary>The runs of the file that the holding consists of: whole ranges of the box where it has whole rows, parts of rows else.</summary>
    private static unsafe void Copy(SafetensorsFile file, SafetensorsTensor tensor, in WeightHolding holding, nint memory, CancellationToken cancellationToken)
    {
        long element = holding.ElementBytes;
        long columns = SizeOf(tensor.Shape, 1), depth = SizeOf(tensor.Shape, 2);
        // Room for padding lies between the parts; what is not held is not written.
        for (long row = holding.Rows.First; row < holding.Rows.End; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (long column = holding.Columns.First; column < holding.Columns.End; column++)
            {
                // As many columns at a time as lie behind one another on both sides.
                bool whole = holding.Depth.Count == depth && holding.Depth.Local == depth;
                long span = whole ? holding.Columns.End - column : 1;
                long position = (((row - holding.Rows.First) * holding.Columns.Local) + (column - holding.Columns.First)) * holding.Depth.Local;
                long first = Math.Max(position, holding.Flat.First), end = Math.Min(position + (span * holding.Depth.Count), holding.Flat.End);
                if (first < end)
                {
                    long source = ((((row * columns) + column) * depth) + holding.Depth.First + (first - position)) * element;
                    // Safe: the positions lie in [Flat.First, Flat.End), for which the memory has room.
                    CopyRun(file, tensor, source, (end - first) * element, (byte*)memory + ((first - holding.Flat.First) * element));
                }

                column += span - 1;
            }
        }
    }

    private static unsafe void CopyRun(SafetensorsFile file, SafetensorsTensor tensor, long offset, long length, byte* memory)
    {
        while (length > 0)
        {
            int part = (int)Math.Min(length, 1 << 30);
            // Safe: the caller's memory has room for the whole run.
            file.Bytes(tensor, offset, part).CopyTo(new Span<byte>(memory, part));
            offset += part;
            memory += part;
            length -= part;
        }
    }
}
