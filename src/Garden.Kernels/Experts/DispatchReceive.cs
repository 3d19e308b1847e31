using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that takes received rows out of their slots and gives each expert its own: fanned out, packed or in slabs, with the
/// inverse index that results are gathered with. Every group sums the counts of all sources by itself.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TSize">For few tokens or many.</typeparam>
/// <typeparam name="TTrace">What is stamped on the way.</typeparam>
public static unsafe class DispatchReceive<TRouting, TSize, TTrace>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TSize : unmanaged, IExpertSize
    where TTrace : unmanaged, IExpertTrace
{
    private const int Phase = (int)ExpertPhase.DispatchReceive;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int expertsPerRank, int groupThreads) => sizeof(int) * ReceiveLayout.Of<TRouting>(ranks, expertsPerRank, groupThreads).End;

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments) => Receive(arguments, ILGPU.SharedMemory.GetDynamic<int>());

    /// <summary>What the kernel does, also as one half of another.</summary>
    internal static void Receive(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        ReceiveLayout layout = ReceiveLayout.Of<TRouting>(arguments.Ranks, arguments.ExpertsPerRank, Group.DimX);
        // Few tokens: slots are dealt to groups as a full round has them, so that a group's first row is on its way before it is known whether it is there.
        int slots = arguments.Ranks * arguments.MaxTokens, batch = RowList.Batch(Group.DimX), ahead = TSize.IsFew && Grid.IdxX < slots ? 1 : 0;
        int earlySlot = (int)((uint)Grid.IdxX / (uint)arguments.Ranks), earlySource = Grid.IdxX - (earlySlot * arguments.Ranks);
        PeerWords.Read(arguments, shared, false);
        ReceiveLines<TRouting>.Gate(arguments, shared, layout);
        Group.Barrier();
        KernelOverlap.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        uint epoch = (uint)shared[PeerWords.Epoch];
        EarlyRow<TRouting> early = default;
        if (ahead != 0)
            early = EarlyRow<TRouting>.Load(RowAddress(arguments, epoch, earlySource, earlySlot));
        ReceiveLines<TRouting>.Read(arguments, shared, layout, epoch);
        Group.Barrier();
        ReceiveLines<TRouting>.Keep(arguments, shared, layout, epoch);
        SumExperts(arguments, shared, layout, layout.Arrived);
        Group.Barrier();
        if (shared[ReceiveLayout.Refused] != 0)
        {
            SumExperts(arguments, shared, layout, layout.Came);
            Group.Barrier();
        }

        if (Group.IdxX < ahead)
            ListRow(arguments, shared, layout, epoch, 0, earlySource, earlySlot);
        if (TRouting.ExactCombine)
            ExactRows<TRouting>.SumSources(arguments, shared, layout);
        SharedWords.Sum(shared, layout.Rows, layout.FirstRows, arguments.Ranks, 1, 1);
        if (arguments.Output == (int)ExpertOutput.ExpertContiguous)
            SharedWords.Sum(shared, layout.Totals, layout.Starts, arguments.LocalExperts, arguments.Padding, 0);
        Group.Barrier();
        TTrace.Mark(arguments, Phase, 2);
        if (Grid.IdxX == 0)
            Publish(arguments, shared, layout);
        int first = Grid.IdxX, step = Grid.DimX, end = slots;
        if (!TSize.IsFew)
        {
            int all = shared[layout.FirstRows + arguments.Ranks], each = (all + Grid.DimX - 1) / Grid.DimX;
            first = Grid.IdxX * each;
            step = 1;
            end = first + each < all ? first + each : all;
        }

        for (int begin = first; begin < end;)
        {
            bool isEarly = TSize.IsFew && begin == first;
            int count = isEarly ? 1 : (end - begin + step - 1) / step;
            if (count > batch)
                count = batch;
            if (!isEarly)
            {
                ListRows(arguments, shared, layout, epoch, begin, step, count);
                Group.Barrier();
            }

            CopyRows(arguments, shared, layout, count, isEarly, early);
            Group.Barrier();
            begin += count * step;
        }

        TTrace.Mark(arguments, Phase, 4);
    }

    /// <summary>Places and copies a batch; the first payload is on its way while places are worked out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyRows(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int count, bool isEarly, EarlyRow<TRouting> early)
    {
        if (TSize.IsFew)
            CopyByGroup(arguments, shared, layout, count, isEarly, early);
        else
            CopyByWarp(arguments, shared, layout, count);
        CopyScales(arguments, shared, layout, count, isEarly, early.Scale);
    }

    /// <summary>A warp a row: addresses are found once for all of it.</summary>
    private static void CopyByWarp(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int count)
    {
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16;
        RowTeam team = RowTeam.OfWarp();
        RowChunk chunk = default;
        if (team.First < count)
            chunk = RowChunk.Load(SharedWords.Address(shared, layout.RowAddress + (2 * team.First)), team.Lane, vectors);
        Place(arguments, shared, layout, count, false, default);
        TTrace.Mark(arguments, Phase, 3);
        for (int row = team.First; row < count; row += team.Step)
        {
            ulong from = SharedWords.Address(shared, layout.RowAddress + (2 * row));
            int first = layout.Packed + (row * TRouting.TopK), end = first + shared[layout.Copies + row];
            for (int at = team.Lane; at < vectors; at += RowChunk.Pieces * team.Width)
            {
                if (row != team.First || at != team.Lane)
                    chunk = RowChunk.Load(from, at, vectors);
                for (int copy = first; copy < end; copy++)
                    RowChunk.Store(chunk, arguments.Rows + ((ulong)(uint)shared[copy] * (ulong)vectors * 16), at, vectors);
            }
        }
    }

    private static void CopyByGroup(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int count, bool isEarly, EarlyRow<TRouting> early)
    {
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16, all = count * vectors, step = Group.DimX, i = Group.IdxX;
        Vector16 a = early.A, b = early.B, c = early.C, d = early.D;
        if (!isEarly)
        {
            a = Load(shared, layout, i, all, vectors);
            b = Load(shared, layout, i + step, all, vectors);
            c = Load(shared, layout, i + (2 * step), all, vectors);
            d = Load(shared, layout, i + (3 * step), all, vectors);
        }

        Place(arguments, shared, layout, count, isEarly, early);
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
    }

    /// <summary>Turns each expert's counts into the rows of the sources ahead, a thread an expert.</summary>
    private static void SumExperts(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int counted)
    {
        int experts = arguments.LocalExperts;
        for (int expert = Group.IdxX; expert < experts && arguments.Output != (int)ExpertOutput.RankRows; expert += Group.DimX)
        {
            int next = 0;
            for (int source = 0; source < arguments.Ranks; source++)
            {
                int at = (source * experts) + expert;
                shared[layout.Bases + at] = next;
                if (shared[counted + source] != 0)
                    next += shared[layout.Counts + at];
            }

            shared[layout.Totals + expert] = next;
        }
    }

    /// <summary>Leaves for the combine what each source is owed, and for the experts where their rows are.</summary>
    private static void Publish(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout)
    {
        for (int source = Group.IdxX; source < arguments.Ranks; source += Group.DimX)
        {
            ExpertWait.Forget(arguments, Phase, source, (uint)shared[PeerWords.Epoch]);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong RowAddress(ExpertKernelArgs arguments, uint epoch, int source, int slot) =>
        ReceiveLines<TRouting>.Slot(arguments, epoch, source) + arguments.LineBytes + ((ulong)slot * (ulong)TRouting.RowBytes);

    /// <summary>Finds the rows of a batch, a thread a row.</summary>
    private static void ListRows(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch, int begin, int step, int count)
    {
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            int row = begin + (i * step), source = TSize.IsFew ? row % arguments.Ranks : RowList.SourceOf(shared, layout.FirstRows, arguments.Ranks, row);
            ListRow(arguments, shared, layout, epoch, i, source, TSize.IsFew ? row / arguments.Ranks : row - shared[layout.FirstRows + source]);
        }
    }

    private static void ListRow(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch, int i, int source, int slot)
    {
        SharedWords.SetAddress(shared, layout.RowAddress + (2 * i), RowAddress(arguments, epoch, source, slot));
        shared[layout.RowSource + i] = slot < shared[layout.Rows + source] ? source : -1;
        shared[layout.RowPlace + i] = ((source * arguments.MaxTokens) + slot) * TRouting.TopK;
    }

    /// <summary>Works out where they go, a thread a choice, and leaves the inverse of it.</summary>
    private static void Place(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int count, bool isEarly, EarlyRow<TRouting> early)
    {
        for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
        {
            int row = i / TRouting.TopK, k = i - (row * TRouting.TopK);
            int selection = early.Selection;
            uint weight = early.Weight;
            if (!isEarly || i != Group.IdxX)
            {
                ulong from = SharedWords.Address(shared, layout.RowAddress + (2 * row));
                selection = (int)GlobalMemory.Load4(from + (ulong)(TRouting.SelectionsOffset + (4 * k)));
                weight = GlobalMemory.Load4(from + (ulong)(TRouting.WeightsOffset + (4 * k)));
            }

            PlaceChoice(arguments, shared, layout, i, row, k, selection, weight);
        }

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

    private static void PlaceChoice(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int i, int row, int k, int selection, uint weight)
    {
        int source = shared[layout.RowSource + row], expert = ExpertSelection.Expert(selection), ordinal = ExpertSelection.Ordinal(selection);
        // What a row says is checked: it reaches into memory here.
        bool here = source >= 0 && selection >= 0 && expert < arguments.LocalExperts;
        if (arguments.Output == (int)ExpertOutput.RankRows)
        {
            // One copy: the row itself.
            if (k == 0)
                shared[layout.Copies + row] = source >= 0 ? 1 : 0;
            if (source < 0)
                return;
            int index = shared[layout.FirstRows + source] + (shared[layout.RowPlace + row] / TRouting.TopK) - (source * arguments.MaxTokens);
            ulong at = (ulong)(4L * ((index * TRouting.TopK) + k));
            GlobalMemory.Store4(arguments.RowExperts + at, here ? (uint)expert : uint.MaxValue);
            GlobalMemory.Store4(arguments.RowWeights + at, weight);
            if (k == 0)
                shared[layout.Packed + (row * TRouting.TopK)] = index;
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
        if (source < 0)
            return;
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

    private static void CopyScales(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, int count, bool isEarly, uint own)
    {
        if (TRouting.ScaleCount == 0)
            return;
        for (int i = Group.IdxX; i < count * TRouting.ScaleCount; i += Group.DimX)
        {
            int row = i / TRouting.ScaleCount, scale = i - (row * TRouting.ScaleCount);
            uint value = own;
            if (!isEarly || i != Group.IdxX)
                value = GlobalMemory.Load4(SharedWords.Address(shared, layout.RowAddress + (2 * row)) + (ulong)(TRouting.ScalesOffset + (4 * scale)));
            int first = layout.Packed + (row * TRouting.TopK), end = first + shared[layout.Copies + row];
            for (int copy = first; copy < end; copy++)
                GlobalMemory.Store4(arguments.RowScales + (ulong)(4 * (((long)shared[copy] * TRouting.ScaleCount) + scale)), value);
        }
    }
}
