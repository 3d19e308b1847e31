using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that takes received rows out of their slots and gives each expert its own: fanned out, packed or in slabs, with the
/// inverse index that results are gathered with. Every group sums the counts of all sources by itself.
/// </summary>
/// <remarks>
/// Shared memory, 32-bit words: 4 of its own, [source] rows, [source + 1] first row of each source, [source][expert] counts,
/// [source][expert] the first row of the source in the expert, [expert] rows, [row of a batch] copies, [row of a batch][TopK] output rows.
/// Sums have a place of their own: ILGPU puts a load where its value is used, and that may be behind a store to the same word.
/// </remarks>
/// <typeparam name="TRouting">The routing.</typeparam>
public static unsafe class DispatchReceive<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const int FirstShared = DispatchSend<TRouting, CopiedRows<TRouting>>.FirstShared;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int expertsPerRank, int groupThreads) =>
        sizeof(int) * (FirstShared + (2 * ranks) + 1 + (2 * ranks * expertsPerRank) + expertsPerRank + (Batch(groupThreads) * (1 + TRouting.TopK)));

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ArrayView<int> shared = ILGPU.SharedMemory.GetDynamic<int>();
        var state = (ExpertRoundState*)arguments.State;
        uint epoch = state->Epoch;
        int ranks = arguments.Ranks, experts = arguments.LocalExperts;
        int rowsOf = FirstShared, firstRows = rowsOf + ranks, counts = firstRows + ranks + 1;
        int bases = counts + (ranks * arguments.ExpertsPerRank), totals = bases + (ranks * arguments.ExpertsPerRank);
        int batchCounts = totals + arguments.ExpertsPerRank, batchRows = batchCounts + Batch(Group.DimX);
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
            shared[rowsOf + source] = ReadHeader(arguments, epoch, source);
        Group.Barrier();
        if (arguments.Output != (int)ExpertOutput.RankRows)
        {
            ReadCounts(arguments, shared, epoch, rowsOf, counts);
            Group.Barrier();
            SumSources(arguments, shared, counts, bases, totals);
            Group.Barrier();
            if (arguments.Output == (int)ExpertOutput.ExpertContiguous)
            {
                SumExperts(arguments, shared, bases, totals);
                Group.Barrier();
            }
        }

        if (Grid.IdxX == 0)
            Publish(arguments, shared, epoch, rowsOf, totals);
        int rows = SumRows(shared, rowsOf, firstRows, ranks);
        if (Grid.IdxX == 0 && arguments.Output == (int)ExpertOutput.RankRows)
        {
            for (int source = Group.IdxX; source <= ranks; source += Group.DimX)
                GlobalMemory.Store4(arguments.FirstRows + (ulong)(4 * source), (uint)shared[firstRows + source]);
        }

        int each = (rows + Grid.DimX - 1) / Grid.DimX;
        int first = Grid.IdxX * each, end = first + each;
        if (first > rows)
            first = rows;
        if (end > rows)
            end = rows;
        int batch = Batch(Group.DimX);
        for (int begin = first; begin < end; begin += batch)
        {
            int count = end - begin;
            if (count > batch)
                count = batch;
            for (int i = Group.IdxX; i < count; i += Group.DimX)
                Place(arguments, shared, epoch, begin + i, firstRows, bases, batchCounts + i, batchRows + (i * TRouting.TopK));
            Group.Barrier();
            Copy(arguments, shared, epoch, begin, count, firstRows, batchCounts, batchRows);
            Group.Barrier();
        }

        if (!ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.DispatchReceiveGroupsOffset, shared))
            return;
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
            ExpertWait.Tell(arguments, source, ExpertWait.DispatchConsumed, epoch);
        ExpertWait.Raise(arguments.DispatchReceived, epoch);
    }

    /// <summary>Rows whose places a group works out at a time.</summary>
    private static int Batch(int groupThreads) => groupThreads < 32 ? groupThreads : 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Slot(ExpertKernelArgs arguments, uint epoch, int source) =>
        arguments.Dispatch + ((((ulong)(epoch & 1) * (ulong)arguments.Ranks) + (ulong)source) * arguments.SlotBytes);

    /// <summary>Waits for a source and reads how many rows it sent: 0 when it did not come or its line cannot be.</summary>
    private static int ReadHeader(ExpertKernelArgs arguments, uint epoch, int source)
    {
        if (!ExpertWait.Agree(arguments, (int)ExpertPhase.DispatchReceive, source, ExpertWait.DispatchArrived, epoch, epoch))
            return 0;
        Vector16 line = GlobalMemory.Load16(Slot(arguments, epoch, source));
        if (line.A == epoch && line.B <= (uint)arguments.MaxTokens)
            return (int)line.B;
        GlobalMemory.Store4(arguments.Report + 12, epoch);
        GlobalMemory.Store4(arguments.Report + 16, (uint)source);
        return 0;
    }

    private static void ReadCounts(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int rowsOf, int counts)
    {
        int experts = arguments.LocalExperts;
        for (int i = Group.IdxX; i < arguments.Ranks * experts; i += Group.DimX)
        {
            int source = i / experts, expert = i - (source * experts), rows = shared[rowsOf + source];
            uint count = rows == 0 ? 0 : GlobalMemory.Load4(Slot(arguments, epoch, source) + ExpertRankHeader.SizeInBytes + (ulong)(4 * expert));
            // A row chooses an expert once; more would reach past the output.
            shared[counts + i] = count > (uint)rows ? rows : (int)count;
        }
    }

    /// <summary>Turns each expert's counts into the first row of each source inside the expert, a thread an expert.</summary>
    private static void SumSources(ExpertKernelArgs arguments, ArrayView<int> shared, int counts, int bases, int totals)
    {
        int experts = arguments.LocalExperts;
        bool slabs = arguments.Output == (int)ExpertOutput.ExpertSlabs;
        for (int expert = Group.IdxX; expert < experts; expert += Group.DimX)
        {
            int next = 0;
            for (int source = 0; source < arguments.Ranks; source++)
            {
                int count = shared[counts + (source * experts) + expert];
                shared[bases + (source * experts) + expert] = slabs ? ((expert * arguments.Ranks) + source) * arguments.MaxTokens : next;
                next += count;
            }

            shared[totals + expert] = next;
        }
    }

    /// <summary>Moves each expert behind the padded rows of those before it, a thread an expert.</summary>
    private static void SumExperts(ExpertKernelArgs arguments, ArrayView<int> shared, int bases, int totals)
    {
        int experts = arguments.LocalExperts;
        for (int expert = Group.IdxX; expert < experts; expert += Group.DimX)
        {
            int start = 0;
            for (int before = 0; before < expert; before++)
                start += Padded(shared[totals + before], arguments.Padding);
            for (int source = 0; source < arguments.Ranks; source++)
                shared[bases + (source * experts) + expert] += start;
            if (Grid.IdxX != 0)
                continue;
            GlobalMemory.Store4(arguments.FirstRows + (ulong)(4 * expert), (uint)start);
            if (expert == experts - 1)
                GlobalMemory.Store4(arguments.FirstRows + (ulong)(4 * experts), (uint)(start + Padded(shared[totals + expert], arguments.Padding)));
        }

        if (experts == 0 && Grid.IdxX == 0 && Group.IdxX == 0)
            GlobalMemory.Store4(arguments.FirstRows, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Padded(int rows, int padding) => (int)(((uint)rows + (uint)padding - 1) / (uint)padding * (uint)padding);

    /// <summary>Leaves for the combine what each source is owed, and for the experts how many rows they have.</summary>
    private static void Publish(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int rowsOf, int totals)
    {
        for (int source = Group.IdxX; source < arguments.Ranks; source += Group.DimX)
        {
            int rows = shared[rowsOf + source];
            uint row = rows == 0 ? 0 : GlobalMemory.Load4(Slot(arguments, epoch, source) + 8);
            GlobalMemory.Store4(arguments.Received + (ulong)(4 * source), (uint)rows);
            GlobalMemory.Store4(arguments.Received + (ulong)(4 * (arguments.Ranks + source)), row);
        }

        if (arguments.Output == (int)ExpertOutput.RankRows)
            return;
        for (int expert = Group.IdxX; expert < arguments.LocalExperts; expert += Group.DimX)
            GlobalMemory.Store4(arguments.ExpertCounts + (ulong)(4 * expert), (uint)shared[totals + expert]);
    }

    /// <summary>Sums rows by source to the first row of each; returns all rows.</summary>
    internal static int SumRows(ArrayView<int> shared, int rowsOf, int firstRows, int ranks)
    {
        if (Group.IdxX == 0)
        {
            int next = 0;
            for (int source = 0; source < ranks; source++)
            {
                int count = shared[rowsOf + source];
                shared[firstRows + source] = next;
                next += count;
            }

            shared[firstRows + ranks] = next;
        }

        Group.Barrier();
        return shared[firstRows + ranks];
    }

    /// <summary>The source that row <paramref name="row"/> came from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int SourceOf(ArrayView<int> shared, int firstRows, int ranks, int row)
    {
        int low = 0, high = ranks - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (shared[firstRows + middle] <= row)
                low = middle;
            else
                high = middle - 1;
        }

        return low;
    }

    /// <summary>Works out where one row goes, and leaves the inverse of it.</summary>
    private static void Place(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int row, int firstRows, int bases, int batchCount, int batchRow)
    {
        int source = SourceOf(shared, firstRows, arguments.Ranks, row);
        int slot = row - shared[firstRows + source];
        ulong from = Slot(arguments, epoch, source) + arguments.LineBytes + ((ulong)slot * (ulong)TRouting.RowBytes);
        bool byRank = arguments.Output == (int)ExpertOutput.RankRows;
        int place = ((source * arguments.MaxTokens) + slot) * TRouting.TopK, copies = 0;
        for (int k = 0; k < TRouting.TopK; k++)
        {
            int selection = (int)GlobalMemory.Load4(from + (ulong)(TRouting.SelectionsOffset + (4 * k)));
            uint weight = GlobalMemory.Load4(from + (ulong)(TRouting.WeightsOffset + (4 * k)));
            int expert = ExpertSelection.Expert(selection), ordinal = ExpertSelection.Ordinal(selection);
            // What a row says is checked: it reaches into memory here.
            bool here = selection >= 0 && expert < arguments.LocalExperts && ordinal < arguments.MaxTokens;
            if (byRank)
            {
                GlobalMemory.Store4(arguments.RowExperts + (ulong)(4 * ((row * TRouting.TopK) + k)), here ? (uint)expert : uint.MaxValue);
                GlobalMemory.Store4(arguments.RowWeights + (ulong)(4 * ((row * TRouting.TopK) + k)), weight);
                continue;
            }

            int output = here ? shared[bases + (source * arguments.LocalExperts) + expert] + ordinal : -1;
            GlobalMemory.Store4(arguments.Inverse + (ulong)(4L * (place + k)), (uint)output);
            GlobalMemory.Store4(arguments.InverseWeights + (ulong)(4L * (place + k)), weight);
            if (!here)
                continue;
            GlobalMemory.Store4(arguments.RowWeights + (ulong)(4L * output), weight);
            shared[batchRow + copies++] = output;
        }

        if (byRank)
            shared[batchRow + copies++] = row;
        shared[batchCount] = copies;
    }

    /// <summary>Copies payload and scales of a batch of rows to their places.</summary>
    private static void Copy(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int begin, int count, int firstRows, int batchCounts, int batchRows)
    {
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16;
        for (int i = Group.IdxX; i < count * vectors; i += Group.DimX)
        {
            int at = i / vectors, vector = i - (at * vectors);
            Vector16 value = GlobalMemory.Load16(Row(arguments, shared, epoch, begin + at, firstRows) + ((ulong)vector * 16));
            int copies = shared[batchCounts + at];
            for (int copy = 0; copy < copies; copy++)
                GlobalMemory.Store16(arguments.Rows + ((((ulong)shared[batchRows + (at * TRouting.TopK) + copy] * (ulong)vectors) + (ulong)vector) * 16), value);
        }

        if (TRouting.ScaleCount == 0)
            return;
        for (int i = Group.IdxX; i < count * TRouting.ScaleCount; i += Group.DimX)
        {
            int at = i / TRouting.ScaleCount, scale = i - (at * TRouting.ScaleCount);
            uint value = GlobalMemory.Load4(Row(arguments, shared, epoch, begin + at, firstRows) + (ulong)(TRouting.ScalesOffset + (4 * scale)));
            int copies = shared[batchCounts + at];
            for (int copy = 0; copy < copies; copy++)
                GlobalMemory.Store4(arguments.RowScales + (ulong)(4 * (((long)shared[batchRows + (at * TRouting.TopK) + copy] * TRouting.ScaleCount) + scale)), value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Row(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int row, int firstRows)
    {
        int source = SourceOf(shared, firstRows, arguments.Ranks, row);
        return Slot(arguments, epoch, source) + arguments.LineBytes + ((ulong)(row - shared[firstRows + source]) * (ulong)TRouting.RowBytes);
    }
}
