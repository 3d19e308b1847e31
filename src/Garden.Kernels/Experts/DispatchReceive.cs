using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that takes received rows out of their slots and gives each expert its own: fanned out, packed or in slabs, with the
/// inverse index that results are gathered with. Every group sums the counts of all sources by itself.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TTrace">What is stamped on the way.</typeparam>
public static unsafe class DispatchReceive<TRouting, TTrace>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TTrace : unmanaged, IExpertTrace
{
    private const int Phase = (int)ExpertPhase.DispatchReceive;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int expertsPerRank, int groupThreads) => sizeof(int) * ReceiveLayout.Of<TRouting>(ranks, expertsPerRank, groupThreads).End;

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ExpertWait.Begin();
        Receive(arguments, ILGPU.SharedMemory.GetDynamic<int>());
    }

    /// <summary>What the kernel does, also as the second half of another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Receive(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        ReceiveLayout layout = ReceiveLayout.Of<TRouting>(arguments.Ranks, arguments.ExpertsPerRank, Group.DimX);
        uint epoch = GlobalMemory.Load4(arguments.State);
        ReceiveLines<TRouting>.Read(arguments, shared, layout, epoch);
        Group.Barrier();
        ExpertWait.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        SharedWords.Sum(shared, layout.Rows, layout.FirstRows, arguments.Ranks, 1, 1);
        if (arguments.Output != (int)ExpertOutput.RankRows)
            SumExperts(arguments, shared, layout);
        if (TRouting.ExactCombine)
            ExactRows<TRouting>.SumSources(arguments, shared, layout);
        Group.Barrier();
        TTrace.Mark(arguments, Phase, 2);
        if (Grid.IdxX == 0)
            Publish(arguments, shared, layout);
        int rows = shared[layout.FirstRows + arguments.Ranks];
        int each = (rows + Grid.DimX - 1) / Grid.DimX, batch = RowList.Batch(Group.DimX);
        int first = Grid.IdxX * each, end = first + each;
        if (end > rows)
            end = rows;
        for (int begin = first; begin < end; begin += batch)
        {
            int count = end - begin;
            if (count > batch)
                count = batch;
            ListRows(arguments, shared, layout, epoch, begin, count);
            Group.Barrier();
            // The first payload is on its way while places are worked out.
            int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16, all = count * vectors, step = Group.DimX, i = Group.IdxX;
            Vector16 a = Load(shared, layout, i, all, vectors), b = Load(shared, layout, i + step, all, vectors);
            Vector16 c = Load(shared, layout, i + (2 * step), all, vectors), d = Load(shared, layout, i + (3 * step), all, vectors);
            Place(arguments, shared, layout, begin, count);
            TTrace.Mark(arguments, Phase, 3);
            // Four loads are on their way before the first is stored; behind the end the last is loaded again and not stored.
            while (i < all)
            {
                Store(arguments, shared, layout, i, all, vectors, a);
                Store(arguments, shared, layout, i + step, all, vectors, b);
                Store(arguments, shared, layout, i + (2 * step), all, vectors, c);
                Store(arguments, shared, layout, i + (3 * step), all, vectors, d);
                i += 4 * step;
                if (i >= all)
                    break;
                a = Load(shared, layout, i, all, vectors);
                b = Load(shared, layout, i + step, all, vectors);
                c = Load(shared, layout, i + (2 * step), all, vectors);
                d = Load(shared, layout, i + (3 * step), all, vectors);
            }

            CopyScales(arguments, shared, layout, count);
            Group.Barrier();
        }

        TTrace.Mark(arguments, Phase, 4);
        if (!ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.DispatchReceiveGroupsOffset, shared))
            return;
        TTrace.Mark(arguments, Phase, 5);
        for (int source = Group.IdxX; source < arguments.Ranks; source += Group.DimX)
        {
            ExpertWait.Forget(arguments, Phase, source, epoch);
            if (shared[layout.Came + source] != 0)
                ExpertWait.Tell(arguments, shared, source, ExpertWait.DispatchConsumed, epoch);
        }

        TTrace.Mark(arguments, Phase, 6);
    }

    /// <summary>Turns each expert's counts into the rows of the sources ahead, a thread an expert, and the sums into first rows.</summary>
    private static void SumExperts(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout)
    {
        int experts = arguments.LocalExperts;
        for (int expert = Group.IdxX; expert < experts; expert += Group.DimX)
        {
            int next = 0;
            for (int source = 0; source < arguments.Ranks; source++)
            {
                int at = (source * experts) + expert;
                shared[layout.Bases + at] = next;
                if (shared[layout.Rows + source] != 0)
                    next += shared[layout.Counts + at];
            }

            shared[layout.Totals + expert] = next;
        }

        if (arguments.Output != (int)ExpertOutput.ExpertContiguous)
            return;
        Group.Barrier();
        SharedWords.Sum(shared, layout.Totals, layout.Starts, experts, arguments.Padding, 0);
    }

    /// <summary>Leaves for the combine what each source is owed, and for the experts where their rows are.</summary>
    private static void Publish(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout)
    {
        for (int source = Group.IdxX; source < arguments.Ranks; source += Group.DimX)
        {
            // A source that did not come, or was refused, is owed nothing: not even the word that its results are there.
            bool came = shared[layout.Came + source] != 0;
            GlobalMemory.Store4(arguments.Received + (ulong)(4 * source), came ? (uint)shared[layout.Rows + source] : uint.MaxValue);
            GlobalMemory.Store4(arguments.Received + (ulong)(4 * (arguments.Ranks + source)), (uint)shared[layout.CombineRows + source]);
        }

        bool byRank = arguments.Output == (int)ExpertOutput.RankRows;
        int starts = byRank ? layout.FirstRows : layout.Starts, groups = byRank ? arguments.Ranks : arguments.LocalExperts;
        for (int i = Group.IdxX; i <= groups && arguments.Output != (int)ExpertOutput.ExpertSlabs; i += Group.DimX)
            GlobalMemory.Store4(arguments.FirstRows + (ulong)(4 * i), (uint)shared[starts + i]);
        for (int expert = Group.IdxX; expert < arguments.LocalExperts && !byRank; expert += Group.DimX)
            GlobalMemory.Store4(arguments.ExpertCounts + (ulong)(4 * expert), (uint)shared[layout.Totals + expert]);
    }

    /// <summary>Finds the rows of a batch, a thread a row.</summary>
    private static void ListRows(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch, int begin, int count)
    {
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            int source = RowList.SourceOf(shared, layout.FirstRows, arguments.Ranks, begin + i), slot = begin + i - shared[layout.FirstRows + source];
            SharedWords.SetAddress(
                shared, layout.RowAddress + (2 * i), ReceiveLines<TRouting>.Slot(arguments, epoch, source) + arguments.LineBytes + ((ulong)slot * (ulong)TRouting.RowBytes));
            shared[layout.RowSource + i] = source;
            shared[layout.RowPlace + i] = ((source * arguments.MaxTokens) + slot) * TRouting.TopK;
        }
    }

    /// <summary>Works out where they go, a thread a choice, and leaves the inverse of it.</summary>
    private static void Place(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int begin, int count)
    {
        for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
            PlaceChoice(arguments, shared, layout, begin, i);
        Group.Barrier();
        if (arguments.Output == (int)ExpertOutput.RankRows)
            return;
        for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
        {
            int output = shared[layout.Outputs + i], row = i / TRouting.TopK * TRouting.TopK;
            int place = RowList.CountValid(shared, layout.Outputs + row, layout.Outputs + i);
            if (output >= 0)
                shared[layout.Packed + row + place] = output;
            if (i == row + TRouting.TopK - 1)
                shared[layout.Copies + (i / TRouting.TopK)] = place + (output >= 0 ? 1 : 0);
        }

        Group.Barrier();
    }

    private static void PlaceChoice(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int begin, int i)
    {
        int row = i / TRouting.TopK, k = i - (row * TRouting.TopK), source = shared[layout.RowSource + row];
        ulong from = SharedWords.Address(shared, layout.RowAddress + (2 * row));
        int selection = (int)GlobalMemory.Load4(from + (ulong)(TRouting.SelectionsOffset + (4 * k)));
        uint weight = GlobalMemory.Load4(from + (ulong)(TRouting.WeightsOffset + (4 * k)));
        int expert = ExpertSelection.Expert(selection), ordinal = ExpertSelection.Ordinal(selection);
        // What a row says is checked: it reaches into memory here.
        bool here = selection >= 0 && expert < arguments.LocalExperts;
        if (arguments.Output == (int)ExpertOutput.RankRows)
        {
            ulong at = (ulong)(4L * (((begin + row) * TRouting.TopK) + k));
            GlobalMemory.Store4(arguments.RowExperts + at, here ? (uint)expert : uint.MaxValue);
            GlobalMemory.Store4(arguments.RowWeights + at, weight);
            // One copy: the row itself.
            if (k == 0)
            {
                shared[layout.Packed + (row * TRouting.TopK)] = begin + row;
                shared[layout.Copies + row] = 1;
            }

            return;
        }

        int output = -1;
        if (here && ordinal < shared[layout.Counts + (source * arguments.LocalExperts) + expert])
        {
            output = ordinal + (arguments.Output == (int)ExpertOutput.ExpertSlabs
                ? ((expert * arguments.Ranks) + source) * arguments.MaxTokens
                : shared[layout.Starts + expert] + shared[layout.Bases + (source * arguments.LocalExperts) + expert]);
            GlobalMemory.Store4(arguments.RowWeights + (ulong)(4L * output), weight);
        }

        shared[layout.Outputs + i] = output;
        ulong inverse = (ulong)(4L * (shared[layout.RowPlace + row] + k));
        GlobalMemory.Store4(arguments.Inverse + inverse, (uint)output);
        if (!TRouting.ExactCombine)
            GlobalMemory.Store4(arguments.InverseWeights + inverse, weight);
        else if (output >= 0)
            GlobalMemory.Store4(arguments.InverseWeights + inverse, (uint)(shared[layout.SourceFirsts + (source * arguments.LocalExperts) + expert] + ordinal));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Load(ArrayView<int> shared, ReceiveLayout layout, int i, int all, int vectors)
    {
        int at = i < all ? i : all - 1, row = at / vectors;
        return GlobalMemory.Load16(SharedWords.Address(shared, layout.RowAddress + (2 * row)) + ((ulong)(at - (row * vectors)) * 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int i, int all, int vectors, Vector16 value)
    {
        if (i >= all)
            return;
        int row = i / vectors, first = layout.Packed + (row * TRouting.TopK), end = first + shared[layout.Copies + row];
        ulong to = arguments.Rows + ((ulong)(i - (row * vectors)) * 16);
        for (int copy = first; copy < end; copy++)
            GlobalMemory.Store16(to + ((ulong)shared[copy] * (ulong)vectors * 16), value);
    }

    private static void CopyScales(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int count)
    {
        if (TRouting.ScaleCount == 0)
            return;
        for (int i = Group.IdxX; i < count * TRouting.ScaleCount; i += Group.DimX)
        {
            int row = i / TRouting.ScaleCount, scale = i - (row * TRouting.ScaleCount);
            uint value = GlobalMemory.Load4(SharedWords.Address(shared, layout.RowAddress + (2 * row)) + (ulong)(TRouting.ScalesOffset + (4 * scale)));
            int first = layout.Packed + (row * TRouting.TopK), end = first + shared[layout.Copies + row];
            for (int copy = first; copy < end; copy++)
                GlobalMemory.Store4(arguments.RowScales + (ulong)(4 * (((long)shared[copy] * TRouting.ScaleCount) + scale)), value);
        }
    }
}
