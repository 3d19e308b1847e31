namespace Garden.Weights;

/// <summary>
/// The stage between loading and writing: packs rows, and converts blocks, into the staging memory of a task. One thread at a time;
/// its scratch memory grows to the largest task and stays.
/// </summary>
internal sealed unsafe class WeightAssembler : IDisposable
{
    private NativeBuffer? _scratch;

    /// <summary>For the stage behind it, on the same thread.</summary>
    public WeightHasher Hasher { get; } = new();

    /// <summary>Packs what is not converted.</summary>
    public static void Pack(ReadOnlySpan<WeightAssembly> assemblies, byte* tensors, byte* staging)
    {
        WeightPieces pieces = default;
        foreach (ref readonly WeightAssembly assembly in assemblies)
        {
            int count = assembly.Overlap.Pack(assembly.StagingOffset, ref pieces);
            // Safe: the tensors have the map's size and the staging memory the task's, for which the pieces were made.
            foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
                WeightCopy.Runs(in piece, tensors, staging);
        }
    }

    /// <summary>Converts a task's tensors and packs what each receiver takes of elements and scales.</summary>
    /// <param name="task">The task.</param>
    /// <param name="input">Where its elements come from.</param>
    /// <param name="assemblies">What to make of it.</param>
    /// <param name="tensors">The rank's tensors.</param>
    /// <param name="buffer">The gather buffer, all of whose runs have come; not read where <see cref="WeightTaskInput.InPlace"/>.</param>
    /// <param name="staging">The task's staging memory.</param>
    public void Convert(in WeightTask task, WeightTaskInput input, ReadOnlySpan<WeightAssembly> assemblies, byte* tensors, byte* buffer, byte* staging)
    {
        int rows = (int)task.Rows.Count, columns = checked((int)task.Columns.Count);
        int blockColumns = (int)Float8Blocks.ScalesOf(1, columns);
        long elements = (long)rows * columns, scales = Float8Blocks.ScalesOf(rows, columns);
        byte* scratch = Scratch(WeightSide.Align(scales * sizeof(float)) + elements);
        byte* converted = scratch + WeightSide.Align(scales * sizeof(float));
        int tensor = 0;
        for (int outer = task.FirstOuter; outer < task.FirstOuter + task.OuterCount; outer++)
        {
            for (int expert = task.FirstExpert; expert < task.FirstExpert + task.ExpertCount; expert++, tensor++)
            {
                // Safe: one matrix of rows × columns bfloat16 a tensor, in the tensors where they lie in place, else in the gather buffer.
                byte* matrix = input.InPlace ? tensors + OwnRun(in input.Own[0], tensor) : buffer + (tensor * input.MatrixStride);
                byte* target = converted;
                foreach (ref readonly WeightAssembly assembly in assemblies)
                {
                    // A receiver of the whole matrix gets it without another copy.
                    if (!IsScales(in assembly, in task) && Takes(assembly.Overlap, outer, expert) && IsWhole(assembly.Overlap, in task))
                    {
                        target = TensorIn(in assembly, staging, outer, expert);
                        break;
                    }
                }

                for (int row = 0; row < rows; row += Float8Blocks.Size)
                {
                    int height = Math.Min(Float8Blocks.Size, rows - row);
                    Float8Blocks.ConvertRow(
                        new ReadOnlySpan<ushort>((ushort*)matrix + ((long)row * columns), height * columns),
                        height,
                        columns,
                        new Span<byte>(target + ((long)row * columns), height * columns),
                        new Span<float>((float*)scratch + (row / Float8Blocks.Size * blockColumns), blockColumns));
                }

                foreach (ref readonly WeightAssembly assembly in assemblies)
                {
                    if (!Takes(assembly.Overlap, outer, expert))
                        continue;
                    byte* packed = TensorIn(in assembly, staging, outer, expert);
                    if (IsScales(in assembly, in task))
                        PackBox(assembly.Overlap, scratch, task.Rows.First / Float8Blocks.Size, task.Columns.First / Float8Blocks.Size, blockColumns, packed);
                    else if (packed != target)
                        PackBox(assembly.Overlap, target, task.Rows.First, task.Columns.First, columns, packed);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _scratch?.Dispose();

    private static long OwnRun(in WeightPiece piece, int tensor)
    {
        (long outer, long inner) = Math.DivRem(tensor, piece.Levels[WeightLevels.Count - 1].Count);
        return piece.RunAt(outer, inner).SourceOffset;
    }

    private static bool IsScales(in WeightAssembly assembly, in WeightTask task) => assembly.Overlap.Part != task.Part;

    private static bool Takes(in WeightOverlap overlap, int outer, int expert) =>
        outer >= overlap.FirstOuter && outer < overlap.FirstOuter + overlap.OuterCount && expert >= overlap.FirstExpert && expert < overlap.FirstExpert + overlap.ExpertCount;

    private static bool IsWhole(in WeightOverlap overlap, in WeightTask task) =>
        (overlap.Rows.First, overlap.Rows.End, overlap.Columns.First, overlap.Columns.End) == (task.Rows.First, task.Rows.End, task.Columns.First, task.Columns.End)
        && overlap.PackedFirst == 0 && overlap.PackedEnd == task.Rows.Count * task.Columns.Count;

    private static byte* TensorIn(in WeightAssembly assembly, byte* staging, int outer, int expert)
    {
        WeightOverlap overlap = assembly.Overlap;
        long tensor = ((long)(outer - overlap.FirstOuter) * overlap.ExpertCount) + (expert - overlap.FirstExpert);
        return staging + assembly.StagingOffset + (tensor * overlap.BytesPerTensor);
    }

    /// <summary>Copies the elements [PackedFirst, PackedEnd) of an overlap's box out of a matrix that begins at (row, column).</summary>
    private static void PackBox(in WeightOverlap overlap, byte* matrix, long row, long column, long pitch, byte* packed)
    {
        long width = overlap.Columns.Count, bytes = overlap.ElementBytes;
        for (long element = overlap.PackedFirst; element < overlap.PackedEnd;)
        {
            (long boxRow, long boxColumn) = Math.DivRem(element, width);
            long count = Math.Min(width - boxColumn, overlap.PackedEnd - element);
            long from = ((overlap.Rows.First + boxRow - row) * pitch) + (overlap.Columns.First + boxColumn - column);
            // Safe: the box lies in the matrix, and the packed elements in the assembly's staging memory.
            Buffer.MemoryCopy(matrix + (from * bytes), packed + ((element - overlap.PackedFirst) * bytes), count * bytes, count * bytes);
            element += count;
        }
    }

    private byte* Scratch(long bytes)
    {
        if (_scratch is null || _scratch.Length < bytes)
        {
            _scratch?.Dispose();
            _scratch = null;
            _scratch = new NativeBuffer(bytes);
        }

        return _scratch.Pointer;
    }
}
