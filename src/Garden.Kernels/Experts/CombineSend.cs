using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that sends results back: for each received row the weighted sum of its experts' results, added in ascending places
/// of the top-k with one single-precision fma each, rounded once to the combine element.
/// </summary>
/// <remarks>
/// Shared memory, 32-bit words: those of <see cref="PeerWords"/>, [source] whether results may be sent and rows came, [source] address of its results (two words), [source] rows,
/// [source + 1] first row of each source, [row of a batch] where the row goes (two words), [row of a batch][TopK] rows of results or −1, [row of a batch][TopK] those that are,
/// together, [row of a batch][TopK] their weights, [row of a batch] how many, [row of a batch][TopK] weights of all.
/// Slots of few tokens are dealt to groups as a full round has them, so that their terms are known before their number.
/// </remarks>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TSize">For few tokens or many.</typeparam>
/// <typeparam name="TTrace">What is stamped on the way.</typeparam>
public static unsafe class CombineSend<TRouting, TSize, TTrace>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TSize : unmanaged, IExpertSize
    where TTrace : unmanaged, IExpertTrace
{
    private const int Phase = (int)ExpertPhase.CombineSend;

    /// <summary>Bits of what is kept about a source.</summary>
    private const int May = 1;
    private const int Owed = 2;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int groupThreads) =>
        sizeof(int) * (PeerWords.End(ranks) + (5 * ranks) + 1 + (RowList.Batch(groupThreads) * (3 + (4 * TRouting.TopK))));

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments) => Send(arguments, ILGPU.SharedMemory.GetDynamic<int>());

    /// <summary>What the kernel does, also as one half of another.</summary>
    internal static void Send(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        int ranks = arguments.Ranks, batch = RowList.Batch(Group.DimX);
        int sendable = PeerWords.End(ranks), targets = sendable + ranks, rowsOf = targets + (2 * ranks), firstRows = rowsOf + ranks;
        int rowTargets = firstRows + ranks + 1, found = rowTargets + (2 * batch), terms = found + (batch * TRouting.TopK);
        int weights = terms + (batch * TRouting.TopK), counts = weights + (batch * TRouting.TopK), foundWeights = counts + batch;
        // With few tokens, several groups share a row.
        int parts = TSize.IsFew ? arguments.ResultParts : 1, part = TSize.IsFew ? Grid.IdxX % parts : 0;
        int id = TSize.IsFew ? Grid.IdxX / parts : Grid.IdxX, groups = TSize.IsFew ? Grid.DimX / parts : Grid.DimX;
        int slots = ranks * arguments.MaxTokens, own = id + (Group.IdxX / TRouting.TopK * groups), ownSlot = (int)((uint)own / (uint)ranks), ownSource = own - (ownSlot * ranks);
        PeerWords.Read(arguments, shared, true);
        uint epoch = Group.IdxX < ranks ? GlobalMemory.Load4(arguments.State) : 0;
        KernelOverlap.AwaitPrevious();
        // On its way while ranks are waited for: the thread's term of the first batch.
        int ownTerm = -1, ownWeight = 0;
        bool hasList = TSize.IsFew && Group.DimX >= batch * TRouting.TopK, hasOwn = hasList && Group.IdxX < batch * TRouting.TopK && own < slots;
        if (hasOwn)
        {
            ulong at = Inverse(arguments, ownSource, ownSlot, Group.IdxX % TRouting.TopK);
            ownTerm = (int)GlobalMemory.Load4(arguments.Inverse + at);
            ownWeight = (int)GlobalMemory.Load4(arguments.InverseWeights + at);
        }

        bool gaveUp = false;
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
            gaveUp |= Gate(arguments, shared, epoch, source, sendable, targets, rowsOf);
        if (Group.IdxX == 0)
            shared[PeerWords.Epoch] = (int)epoch;
        if (hasOwn)
        {
            shared[found + Group.IdxX] = ownTerm;
            shared[foundWeights + Group.IdxX] = ownWeight;
        }

        Group.Barrier();
        KernelOverlap.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        int first = id, step = groups, end = slots;
        if (!TSize.IsFew)
        {
            SharedWords.Sum(shared, rowsOf, firstRows, ranks, 1, 0);
            Group.Barrier();
            int rows = shared[firstRows + ranks], each = (rows + Grid.DimX - 1) / Grid.DimX;
            first = Grid.IdxX * each;
            step = 1;
            end = first + each < rows ? first + each : rows;
        }

        for (int begin = first; begin < end; begin += batch * step)
        {
            int count = (end - begin + step - 1) / step;
            if (count > batch)
                count = batch;
            bool listed = hasList && begin == first;
            for (int i = Group.IdxX; i < count * TRouting.TopK && !listed; i += Group.DimX)
                List(arguments, shared, begin, step, i, firstRows, found, foundWeights);
            if (listed)
            {
                if (Group.IdxX % TRouting.TopK == 0 && Group.IdxX / TRouting.TopK < count)
                    SetTarget(shared, Group.IdxX / TRouting.TopK, ownSource, ownSlot, rowsOf, sendable, targets, rowTargets);
            }
            else
            {
                for (int i = Group.IdxX; i < count; i += Group.DimX)
                    Target(arguments, shared, begin + (i * step), i, firstRows, rowsOf, sendable, targets, rowTargets);
            }

            if (!listed)
                Group.Barrier();
            TTrace.Mark(arguments, Phase, 2);
            if (arguments.Output == (int)ExpertOutput.RankRows)
            {
                Copy(arguments, shared, begin, count, rowTargets);
            }
            else
            {
                for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
                    Pack(shared, i, found, foundWeights, terms, weights, counts);
                Group.Barrier();
                if (TRouting.ExactCombine)
                    ExactRows<TRouting>.Send(arguments, shared, count, rowTargets, terms, weights, counts);
                else
                    Sum(arguments, shared, count, part, parts, rowTargets, terms, weights, counts);
            }

            Group.Barrier();
        }

        TTrace.Mark(arguments, Phase, 3);
        int last = ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.CombineSendGroupsOffset, shared, gaveUp);
        if (last == ExpertWait.NotLast)
            return;
        TTrace.Mark(arguments, Phase, 4);
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
        {
            bool sent = (shared[sendable + source] & May) != 0 && !ExpertWait.HasFailed(arguments, Phase, source, (uint)shared[PeerWords.Epoch], last);
            int kind = PeerWords.Kind(shared, source);
            ExpertWait.Forget(arguments, Phase, source, (uint)shared[PeerWords.Epoch]);
            if (kind == PeerWords.Staged)
            {
                ulong post = arguments.Posts + ((ulong)source * ExpertPost.SizeInBytes);
                GlobalMemory.Store4(post + 8, GlobalMemory.Load4(arguments.Received + (ulong)(4 * (ranks + source))));
                uint rowsSent = TRouting.ExactCombine ? GlobalMemory.Load4(arguments.Received + (ulong)(4 * ((2 * ranks) + source))) : (uint)shared[rowsOf + source];
                GlobalMemory.Store4(post + 12, sent ? rowsSent : uint.MaxValue);
            }
            else if (kind == PeerWords.Mapped)
            {
                // With one fence: its results are there, and its rows are taken, by a kernel that had ended when this one began. It has no use for its slot before.
                DeviceFlag.FenceSystem();
                if (sent)
                    ExpertWait.Tell(arguments, shared, source, ExpertWait.CombineArrived, (uint)shared[PeerWords.Epoch]);
                if ((shared[sendable + source] & Owed) != 0)
                    ExpertWait.Tell(arguments, shared, source, ExpertWait.DispatchConsumed, (uint)shared[PeerWords.Epoch]);
            }
        }

        ExpertWait.Raise(arguments.CombineSent, (uint)shared[PeerWords.Epoch]);
        TTrace.Mark(arguments, Phase, 5);
    }

    /// <summary>Waits until a source's place for results may be written, and finds it. True when it gave up.</summary>
    private static bool Gate(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int source, int sendable, int targets, int rowsOf)
    {
        int kind = PeerWords.Kind(shared, source);
        uint rows = GlobalMemory.Load4(arguments.Received + (ulong)(4 * source)), row = GlobalMemory.Load4(arguments.Received + (ulong)(4 * (arguments.Ranks + source)));
        // Results have two areas; those for another node are put where its rows were, which are here.
        uint target = epoch - 2 + (kind == PeerWords.Staged ? 1u : 0);
        ulong flag = PeerWords.Incoming(arguments, shared, source) + ExpertWait.CombineConsumed;
        // Looked at while what is owed is on its way.
        bool free = kind != PeerWords.Masked && ExpertWait.HasReached(flag, target);
        // A source that did not come in time is sent nothing and told nothing: its results would be of another round.
        bool owed = rows != uint.MaxValue;
        bool may = kind != PeerWords.Masked && owed && (free || ExpertWait.MaySend(arguments, Phase, source, flag, target, epoch));
        shared[sendable + source] = (may ? May : 0) | (owed ? Owed : 0);
        shared[rowsOf + source] = owed ? (int)rows : 0;
        ulong area = (row & (uint)ExpertRankHeader.CombineAreaBit) != 0 ? arguments.CombineAreaBytes : 0;
        ulong first = (row & ~(uint)ExpertRankHeader.CombineAreaBit) * (ulong)TRouting.CombineRowBytes, region = PeerWords.Region(arguments, shared, source);
        SharedWords.SetAddress(shared, targets + (2 * source), kind == PeerWords.Staged ? region : region + area + first);
        return kind != PeerWords.Masked && owed && !may;
    }

    /// <summary>Where a term is listed. Safe: there is a place for every slot, used or not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Inverse(ExpertKernelArgs arguments, int source, int slot, int k) =>
        (ulong)(4L * ((((source * arguments.MaxTokens) + slot) * TRouting.TopK) + k));

    /// <summary>Reads one term of a row of the batch.</summary>
    private static void List(ExpertKernelArgs arguments, ArrayView<int> shared, int begin, int step, int i, int firstRows, int found, int foundWeights)
    {
        if (arguments.Output == (int)ExpertOutput.RankRows)
            return;
        int at = i / TRouting.TopK, k = i - (at * TRouting.TopK), row = begin + (at * step);
        int source = SourceOf(arguments, shared, firstRows, row);
        ulong inverse = Inverse(arguments, source, SlotOf(arguments, shared, firstRows, row, source), k);
        uint term = GlobalMemory.Load4(arguments.Inverse + inverse), weight = GlobalMemory.Load4(arguments.InverseWeights + inverse);
        shared[found + i] = (int)term;
        shared[foundWeights + i] = (int)weight;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SourceOf(ExpertKernelArgs arguments, ArrayView<int> shared, int firstRows, int row) =>
        TSize.IsFew ? row % arguments.Ranks : RowList.SourceOf(shared, firstRows, arguments.Ranks, row);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SlotOf(ExpertKernelArgs arguments, ArrayView<int> shared, int firstRows, int row, int source) =>
        TSize.IsFew ? row / arguments.Ranks : row - shared[firstRows + source];

    private static void Target(ExpertKernelArgs arguments, ArrayView<int> shared, int row, int at, int firstRows, int rowsOf, int sendable, int targets, int rowTargets)
    {
        int source = SourceOf(arguments, shared, firstRows, row);
        SetTarget(shared, at, source, SlotOf(arguments, shared, firstRows, row, source), rowsOf, sendable, targets, rowTargets);
    }

    /// <summary>Finds where a row of the batch goes: nowhere when its slot has no row, or its source gets nothing.</summary>
    private static void SetTarget(ArrayView<int> shared, int at, int source, int slot, int rowsOf, int sendable, int targets, int rowTargets)
    {
        bool goes = (shared[sendable + source] & May) != 0 && slot < shared[rowsOf + source];
        SharedWords.SetAddress(
            shared, rowTargets + (2 * at), goes ? SharedWords.Address(shared, targets + (2 * source)) + (TRouting.ExactCombine ? 0 : (ulong)slot * (ulong)TRouting.CombineRowBytes) : 0);
    }

    /// <summary>Puts the terms that are there together, in ascending places.</summary>
    private static void Pack(ArrayView<int> shared, int i, int found, int foundWeights, int terms, int weights, int counts)
    {
        int at = i / TRouting.TopK, first = at * TRouting.TopK, term = shared[found + i];
        int place = RowList.CountValid(shared, found + first, found + i);
        if (i == first + TRouting.TopK - 1)
            shared[counts + at] = place + (term >= 0 ? 1 : 0);
        if (term < 0)
            return;
        shared[terms + first + place] = term;
        shared[weights + first + place] = shared[foundWeights + i];
    }

    /// <summary>Rows whose weights the caller has applied, a warp a row.</summary>
    private static void Copy(ExpertKernelArgs arguments, ArrayView<int> shared, int begin, int count, int rowTargets)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16;
        RowTeam team = RowTeam.OfWarp();
        for (int row = team.First; row < count; row += team.Step)
        {
            ulong from = arguments.Results + ((ulong)(uint)(begin + row) * (ulong)vectors * 16), to = SharedWords.Address(shared, rowTargets + (2 * row));
            for (int at = team.Lane; at < vectors && to != 0; at += RowChunk.Pieces * team.Width)
                RowChunk.Store(RowChunk.Load(from, at, vectors), to, at, vectors);
        }
    }

    private static void Sum(ExpertKernelArgs arguments, ArrayView<int> shared, int count, int part, int parts, int rowTargets, int terms, int weights, int counts)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16;
        if (!TSize.IsFew)
        {
            for (int i = Group.IdxX; i < count * vectors; i += Group.DimX)
                SumOne(arguments, shared, i / vectors, i % vectors, vectors, rowTargets, terms, weights, counts);
            return;
        }

        int first = vectors * part / parts, end = vectors * (part + 1) / parts;
        for (int at = 0; at < count; at++)
        {
            for (int i = first + Group.IdxX; i < end; i += Group.DimX)
                SumOne(arguments, shared, at, i, vectors, rowTargets, terms, weights, counts);
        }
    }

    private static void SumOne(ExpertKernelArgs arguments, ArrayView<int> shared, int at, int vector, int vectors, int rowTargets, int terms, int weights, int counts)
    {
        ulong offset = (ulong)vector * 16, from = arguments.Results + offset, to = SharedWords.Address(shared, rowTargets + (2 * at));
        if (to == 0)
            return;
        int term = terms + (at * TRouting.TopK), weight = weights + (at * TRouting.TopK), all = shared[counts + at];
        RowSum sum = default;
        // Four loads are on their way before the first is used; behind the end the last is loaded again and not added.
        for (int next = 0; next < all; next += 4)
        {
            Vector16 a = Term(shared, from, vectors, term, next, all), b = Term(shared, from, vectors, term, next + 1, all);
            Vector16 c = Term(shared, from, vectors, term, next + 2, all), d = Term(shared, from, vectors, term, next + 3, all);
            sum = RowSum.MultiplyAdd<TRouting>(a, Weight(shared, weight + next), sum);
            if (next + 1 < all)
                sum = RowSum.MultiplyAdd<TRouting>(b, Weight(shared, weight + next + 1), sum);
            if (next + 2 < all)
                sum = RowSum.MultiplyAdd<TRouting>(c, Weight(shared, weight + next + 2), sum);
            if (next + 3 < all)
                sum = RowSum.MultiplyAdd<TRouting>(d, Weight(shared, weight + next + 3), sum);
        }

        GlobalMemory.Store16(to + offset, RowSum.Round<TRouting>(sum));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Term(ArrayView<int> shared, ulong from, int vectors, int term, int next, int all) =>
        GlobalMemory.Load16(from + ((ulong)shared[term + (next < all ? next : all - 1)] * (ulong)vectors * 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Weight(ArrayView<int> shared, int at) => Interop.IntAsFloat((uint)shared[at]);
}
