using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that sends results back: for each received row the weighted sum of its experts' results, added in ascending places
/// of the top-k with one single-precision fma each, rounded once to the combine element.
/// </summary>
/// <remarks>
/// Shared memory, 32-bit words: those of <see cref="PeerWords"/>, [source] 1 when results may be sent, [source] address of its results (two words), [source] rows,
/// [source + 1] first row of each source, [row of a batch] where the row goes (two words), [row of a batch][TopK] rows of results or −1, [row of a batch][TopK] those that are,
/// together, [row of a batch][TopK] their weights, [row of a batch] how many, [row of a batch][TopK] weights of all.
/// </remarks>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TTrace">What is stamped on the way.</typeparam>
public static unsafe class CombineSend<TRouting, TTrace>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TTrace : unmanaged, IExpertTrace
{
    private const int Phase = (int)ExpertPhase.CombineSend;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int groupThreads) =>
        sizeof(int) * (PeerWords.End(ranks) + (5 * ranks) + 1 + (RowList.Batch(groupThreads) * (3 + (4 * TRouting.TopK))));

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ExpertWait.Begin();
        Send(arguments, ILGPU.SharedMemory.GetDynamic<int>());
    }

    /// <summary>What the kernel does, also as the first half of another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Send(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        uint epoch = GlobalMemory.Load4(arguments.State);
        int ranks = arguments.Ranks, batch = RowList.Batch(Group.DimX);
        int sendable = PeerWords.End(ranks), targets = sendable + ranks, rowsOf = targets + (2 * ranks), firstRows = rowsOf + ranks;
        int rowTargets = firstRows + ranks + 1, found = rowTargets + (2 * batch), terms = found + (batch * TRouting.TopK);
        int weights = terms + (batch * TRouting.TopK), counts = weights + (batch * TRouting.TopK), foundWeights = counts + batch;
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
            Gate(arguments, shared, epoch, source, sendable, targets, rowsOf);
        Group.Barrier();
        ExpertWait.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        SharedWords.Sum(shared, rowsOf, firstRows, ranks, 1, 0);
        Group.Barrier();
        int rows = shared[firstRows + ranks];
        int each = (rows + Grid.DimX - 1) / Grid.DimX;
        int first = Grid.IdxX * each, end = first + each;
        if (end > rows)
            end = rows;
        for (int begin = first; begin < end; begin += batch)
        {
            int count = end - begin;
            if (count > batch)
                count = batch;
            for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
                List(arguments, shared, begin, i, firstRows, sendable, targets, rowTargets, found, foundWeights);
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
                    Sum(arguments, shared, count, rowTargets, terms, weights, counts);
            }

            Group.Barrier();
        }

        TTrace.Mark(arguments, Phase, 3);
        if (!ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.CombineSendGroupsOffset, shared))
            return;
        TTrace.Mark(arguments, Phase, 4);
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
        {
            bool sent = shared[sendable + source] != 0 && !ExpertWait.HasFailed(arguments, Phase, source, epoch);
            ExpertWait.Forget(arguments, Phase, source, epoch);
            if (PeerWords.Kind(shared, source) == PeerWords.Staged)
            {
                ulong post = arguments.Posts + ((ulong)source * ExpertPost.SizeInBytes);
                GlobalMemory.Store4(post + 8, GlobalMemory.Load4(arguments.Received + (ulong)(4 * (ranks + source))));
                uint rowsSent = TRouting.ExactCombine ? GlobalMemory.Load4(arguments.Received + (ulong)(4 * ((2 * ranks) + source))) : (uint)shared[rowsOf + source];
                GlobalMemory.Store4(post + 12, sent ? rowsSent : uint.MaxValue);
            }
            else if (sent)
            {
                ExpertWait.Tell(arguments, shared, source, ExpertWait.CombineArrived, epoch);
            }
        }

        ExpertWait.Raise(arguments.CombineSent, epoch);
        TTrace.Mark(arguments, Phase, 5);
    }

    /// <summary>Waits until a source's place for results may be written, and finds it.</summary>
    private static void Gate(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int source, int sendable, int targets, int rowsOf)
    {
        ulong peer = ExpertPeerEntry.AddressOf(arguments, source);
        ulong combine = GlobalMemory.Load8(peer + ExpertPeerEntry.CombineOffset), incoming = GlobalMemory.Load8(peer + ExpertPeerEntry.IncomingOffset);
        ulong outgoing = GlobalMemory.Load8(peer + ExpertPeerEntry.OutgoingOffset);
        uint masked = GlobalMemory.Load4(peer + ExpertPeerEntry.IsMaskedOffset), staged = GlobalMemory.Load4(peer + ExpertPeerEntry.IsStagedOffset);
        uint rows = GlobalMemory.Load4(arguments.Received + (ulong)(4 * source)), row = GlobalMemory.Load4(arguments.Received + (ulong)(4 * (arguments.Ranks + source)));
        int kind = PeerWords.Keep(arguments, shared, source, masked, staged, outgoing);
        // Results have two areas; those for another node are put where its rows were, which are here.
        // A source that did not come in time is sent nothing and told nothing: its results would be of another round.
        bool owed = rows != uint.MaxValue;
        bool may = kind != PeerWords.Masked && owed && ExpertWait.MaySend(arguments, Phase, source, incoming + ExpertWait.CombineConsumed, epoch - 2 + staged, epoch);
        shared[sendable + source] = may ? 1 : 0;
        shared[rowsOf + source] = owed ? (int)rows : 0;
        ulong area = (row & (uint)ExpertRankHeader.CombineAreaBit) != 0 ? arguments.CombineAreaBytes : 0;
        ulong first = (row & ~(uint)ExpertRankHeader.CombineAreaBit) * (ulong)TRouting.CombineRowBytes;
        SharedWords.SetAddress(shared, targets + (2 * source), kind == PeerWords.Staged ? combine : combine + area + first);
    }

    /// <summary>Reads one term of a row of the batch, and where the row goes.</summary>
    private static void List(ExpertKernelArgs arguments, ArrayView<int> shared, int begin, int i, int firstRows, int sendable, int targets, int rowTargets, int found, int foundWeights)
    {
        int at = i / TRouting.TopK, k = i - (at * TRouting.TopK), row = begin + at;
        int source = RowList.SourceOf(shared, firstRows, arguments.Ranks, row), slot = row - shared[firstRows + source];
        if (k == 0)
        {
            SharedWords.SetAddress(
                shared, rowTargets + (2 * at),
                shared[sendable + source] == 0 ? 0 : SharedWords.Address(shared, targets + (2 * source)) + (TRouting.ExactCombine ? 0 : (ulong)slot * (ulong)TRouting.CombineRowBytes));
        }

        if (arguments.Output == (int)ExpertOutput.RankRows)
            return;
        ulong inverse = (ulong)(4L * ((((source * arguments.MaxTokens) + slot) * TRouting.TopK) + k));
        uint term = GlobalMemory.Load4(arguments.Inverse + inverse), weight = GlobalMemory.Load4(arguments.InverseWeights + inverse);
        shared[found + i] = (int)term;
        shared[foundWeights + i] = (int)weight;
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

    /// <summary>Rows whose weights the caller has applied.</summary>
    private static void Copy(ExpertKernelArgs arguments, ArrayView<int> shared, int begin, int count, int rowTargets)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16, all = count * vectors, step = Group.DimX;
        ulong from = arguments.Results + ((ulong)begin * (ulong)vectors * 16);
        // Four loads are on their way before the first is stored; behind the end the last is loaded again and not stored.
        for (int i = Group.IdxX; i < all; i += 4 * step)
        {
            Vector16 a = Load(from, i, all), b = Load(from, i + step, all), c = Load(from, i + (2 * step), all), d = Load(from, i + (3 * step), all);
            Store(shared, rowTargets, i, all, vectors, a);
            Store(shared, rowTargets, i + step, all, vectors, b);
            Store(shared, rowTargets, i + (2 * step), all, vectors, c);
            Store(shared, rowTargets, i + (3 * step), all, vectors, d);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Load(ulong from, int i, int all) => GlobalMemory.Load16(from + ((ulong)(i < all ? i : all - 1) * 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ArrayView<int> shared, int rowTargets, int i, int all, int vectors, Vector16 value)
    {
        if (i >= all)
            return;
        int row = i / vectors;
        ulong to = SharedWords.Address(shared, rowTargets + (2 * row));
        if (to != 0)
            GlobalMemory.Store16(to + ((ulong)(i - (row * vectors)) * 16), value);
    }

    private static void Sum(ExpertKernelArgs arguments, ArrayView<int> shared, int count, int rowTargets, int terms, int weights, int counts)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16;
        for (int i = Group.IdxX; i < count * vectors; i += Group.DimX)
        {
            int at = i / vectors;
            ulong offset = (ulong)(i - (at * vectors)) * 16, from = arguments.Results + offset, to = SharedWords.Address(shared, rowTargets + (2 * at));
            if (to == 0)
                continue;
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
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Term(ArrayView<int> shared, ulong from, int vectors, int term, int next, int all) =>
        GlobalMemory.Load16(from + ((ulong)shared[term + (next < all ? next : all - 1)] * (ulong)vectors * 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Weight(ArrayView<int> shared, int at) => Interop.IntAsFloat((uint)shared[at]);
}
