namespace Garden.Weights;

/// <summary>
/// The stage between loading and writing: packs rows, and converts blocks, into the staging memory of a task. One thread at a time;
/// its scratch memory grows to the largest task and stays.
/// </summary>
internal sealed class WeightAssembler(IWeightDevice device) : IDisposable
{
    private readonly IWeightQueue _queue = device.CreateQueue();
    private IWeightMemory? _scratch;
    private WeightHasher? _hasher;

    /// <summary>For the stage behind it, on the same thread.</summary>
    public WeightHasher Hasher => _hasher ??= new WeightHasher(device.Kind == MemoryKind.Host ? null : _queue);

    /// <summary>Packs what is not converted.</summary>
    public void Pack(ReadOnlySpan<WeightAssembly> assemblies, nint tensors, nint staging)
    {
        WeightPieces pieces = default;
        foreach (ref readonly WeightAssembly assembly in assemblies)
        {
            int count = assembly.Overlap.Pack(assembly.StagingOffset, ref pieces);
            // The tensors have the map's size and the staging memory the task's, for which the pieces were made.
            foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
                WeightCopy.Runs(_queue, in piece, tensors, staging);
        }

        _queue.Wait();
    }

    /// <summary>Converts a task's tensors and packs what each receiver takes of elements and scales.</summary>
    /// <param name="task">The task.</param>
    /// <param name="input">Where its elements come from.</param>
    /// <param name="assemblies">What to make of it.</param>
    /// <param name="tensors">The rank's tensors.</param>
    /// <param name="buffer">The gather buffer, into which the runs of other ranks have come; not used where <see cref="WeightTaskInput.InPlace"/>.</param>
    /// <param name="staging">The task's staging memory.</param>
    public void Convert(in WeightTask task, WeightTaskInput input, ReadOnlySpan<WeightAssembly> assemblies, nint tensors, nint buffer, nint staging)
    {
        int rows = checked((int)task.Rows.Count), columns = checked((int)task.Columns.Count);
        int blockColumns = (int)Float8Blocks.ScalesOf(1, columns);
        long elements = (long)rows * columns, scaleBytes = WeightSide.Align(Float8Blocks.ScalesOf(rows, columns) * sizeof(float));
        nint scratch = Scratch(scaleBytes + elements), converted = scratch + (nint)scaleBytes;
        if (!input.InPlace)
            input.CopyOwn(_queue, tensors, buffer);
        int tensor = 0;
        for (int outer = task.FirstOuter; outer < task.FirstOuter + task.OuterCount; outer++)
        {
            for (int expert = task.FirstExpert; expert < task.FirstExpert + task.ExpertCount; expert++, tensor++)
            {
                // One matrix of rows × columns bfloat16 a tensor, in the tensors where they lie in place, else in the gather buffer.
                nint matrix = input.InPlace ? tensors + (nint)OwnRun(in input.Own[0], tensor) : buffer + (nint)(tensor * input.MatrixStride);
                nint target = converted;
                foreach (ref readonly WeightAssembly assembly in assemblies)
                {
                    // A receiver of the whole matrix gets it without another copy.
                    if (!IsScales(in assembly, in task) && Takes(assembly.Overlap, outer, expert) && IsWhole(assembly.Overlap, in task))
                    {
                        target = TensorIn(in assembly, staging, outer, expert);
                        break;
                    }
                }

                _queue.Convert(matrix, rows, columns, target, scratch);
                foreach (ref readonly WeightAssembly assembly in assemblies)
                {
                    if (!Takes(assembly.Overlap, outer, expert))
                        continue;
                    nint packed = TensorIn(in assembly, staging, outer, expert);
                    if (IsScales(in assembly, in task))
                        PackBox(assembly.Overlap, scratch, task.Rows.First / Float8Blocks.Size, task.Columns.First / Float8Blocks.Size, blockColumns, packed);
                    else if (packed != target)
                        PackBox(assembly.Overlap, target, task.Rows.First, task.Columns.First, columns, packed);
                }
            }
        }

        _queue.Wait();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _queue.Dispose();
        _scratch?.Dispose();
    }

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

    private static nint TensorIn(in WeightAssembly assembly, nint staging, int outer, int expert)
    {
        WeightOverlap overlap = assembly.Overlap;
        long tensor = ((long)(outer - overlap.FirstOuter) * overlap.ExpertCount) + (expert - overlap.FirstExpert);
        return staging + (nint)(assembly.StagingOffset + (tensor * overlap.BytesPerTensor));
    }

    /// <summary>Copies the elements [PackedFirst, PackedEnd) of an overlap's box out of a matrix that begins at (row, column): the end of a row, whole rows, the beginning of one.</summary>
    private void PackBox(in WeightOverlap overlap, nint matrix, long row, long column, long pitch, nint packed)
    {
        long width = overlap.Columns.Count, bytes = overlap.ElementBytes;
        for (long element = overlap.PackedFirst; element < overlap.PackedEnd;)
        {
            (long boxRow, long boxColumn) = Math.DivRem(element, width);
            long left = overlap.PackedEnd - element, whole = boxColumn == 0 ? left / width : 0;
            long count = whole != 0 ? width : Math.Min(width - boxColumn, left);
            long from = ((overlap.Rows.First + boxRow - row) * pitch) + (overlap.Columns.First + boxColumn - column);
            // The box lies in the matrix, and the packed elements in the assembly's staging memory.
            _queue.CopyRows(new WeightRows(
                matrix + (nint)(from * bytes), packed + (nint)((element - overlap.PackedFirst) * bytes), count * bytes, Math.Max(1, whole), pitch * bytes, width * bytes));
            element += count * Math.Max(1, whole);
        }
    }

    private nint Scratch(long bytes)
    {
        if (_scratch is null || _scratch.Length < bytes)
        {
            _scratch?.Dispose();
            _scratch = null;
            _scratch = device.Allocate(bytes);
        }

        return _scratch.Address;
    }
}
