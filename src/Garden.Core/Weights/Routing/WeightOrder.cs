using System.Runtime.CompilerServices;

namespace Garden.Weights;

/// <summary>
/// The order in which every sender takes its items: first those that have several receivers, then those that have one, each layer by
/// layer, and so that senders do not crowd a receiver.
/// </summary>
/// <remarks>
/// Mixed, the two kinds hold each other up: an item is done when the last of its receivers has it, and one that waits for many
/// receivers keeps its sender from the few that depend on it. Plays the update with all NICs equally fast, a receiver taking one send
/// after the other: whichever sender is free first takes, of its items of the layer, one whose receiver has the least to take in. Items
/// for several receivers go to one after the other, on every sender from another one on. Loops are compiled at once: a plan is made once, and would be
/// done before they are warm.
/// </remarks>
internal sealed class WeightOrder
{
    private readonly WeightCell[] _cells;
    private readonly int[] _cellOf;
    private readonly double[] _senderFree;
    private readonly double[] _receiverFree;
    private readonly int[][] _order;
    private readonly int[] _taken;

    private WeightOrder(WeightCell[] cells, int[] senders, int trainerRanks, int inferenceRanks)
    {
        _cells = cells;
        _cellOf = new int[senders.Length];
        for (int i = 0; i < cells.Length; i++)
            _cellOf.AsSpan(cells[i].FirstItem, cells[i].Items).Fill(i);
        (_senderFree, _receiverFree, _taken) = (new double[trainerRanks], new double[inferenceRanks], new int[trainerRanks]);
        int[] counts = new int[trainerRanks];
        foreach (int sender in senders)
            counts[sender]++;
        _order = [.. counts.Select(count => new int[count])];
    }

    /// <summary>The items of every trainer rank, in order.</summary>
    public static int[][] Of(WeightCell[] cells, int[] senders, int trainerRanks, int inferenceRanks)
    {
        var order = new WeightOrder(cells, senders, trainerRanks, inferenceRanks);
        foreach (List<Entry>[] wave in Waves(cells, senders, trainerRanks))
            order.Play(wave);
        return order._order;
    }

    /// <summary>The items of every sender that go together, step by step.</summary>
    private static IEnumerable<List<Entry>[]> Waves(WeightCell[] cells, int[] senders, int trainerRanks)
    {
        int waves = cells.Length == 0 ? 0 : cells.Max(Turns);
        int[][] receivers = [.. cells.Select(cell => cell.Receivers.Select(group => group.Length == 1 ? group[0].Rank : -1).ToArray())];
        var own = new List<Entry>[trainerRanks];
        for (int rank = 0; rank < trainerRanks; rank++)
            own[rank] = [];
        for (int step = 0; step < 2 * waves; step++)
        {
            (int single, int wave) = Math.DivRem(step, waves);
            foreach (List<Entry> items in own)
                items.Clear();
            for (int index = 0; index < cells.Length; index++)
            {
                WeightCell cell = cells[index];
                // Rows of fewer tensors are spread over the layers: turn t of n is due at the middle of its part.
                for (int turn = FirstTurn(wave); turn < FirstTurn(wave + 1); turn++)
                {
                    for (int group = 0; group < cell.Groups; group++)
                    {
                        if ((receivers[index][group] >= 0) != (single == 1))
                            continue;
                        int item = cell.FirstItem + (turn * cell.Groups) + group;
                        own[senders[item]].Add(new Entry(receivers[index][group], item));
                    }
                }

                int FirstTurn(int wave) => (int)((((2L * wave * Turns(cell)) + waves - 1) / waves) / 2);
            }

            yield return own;
        }
    }

    private static int Turns(WeightCell cell) => cell.Outers / cell.OutersPerItem;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Play(List<Entry>[] wave)
    {
        var free = new PriorityQueue<int, (double Time, int Rank)>();
        var queues = new Queues[wave.Length];
        for (int sender = 0; sender < wave.Length; sender++)
        {
            if (wave[sender].Count == 0)
                continue;
            wave[sender].Sort();
            queues[sender] = new Queues(wave[sender]);
            free.Enqueue(sender, (_senderFree[sender], sender));
        }

        while (free.TryDequeue(out int sender, out _))
        {
            int first = (int)((long)sender * _receiverFree.Length / wave.Length);
            int item = queues[sender].Take(_receiverFree, first);
            Send(sender, item);
            _order[sender][_taken[sender]++] = item;
            if (!queues[sender].IsEmpty)
                free.Enqueue(sender, (_senderFree[sender], sender));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Send(int sender, int item)
    {
        WeightCell cell = _cells[_cellOf[item]];
        int group = (item - cell.FirstItem) % cell.Groups;
        ReadOnlySpan<WeightTarget> receivers = cell.Receivers[group];
        int start = cell.FirstReceiver(group, sender, _senderFree.Length);
        double time = _senderFree[sender];
        for (int i = 0; i < receivers.Length; i++)
        {
            ref readonly WeightTarget target = ref receivers[(start + i) % receivers.Length];
            ref double receiver = ref _receiverFree[target.Rank];
            receiver = time = Math.Max(receiver, time) + cell.BytesOf(group, in target);
        }

        _senderFree[sender] = time;
    }

    /// <summary>An item and its receiver, −1 when it has several. Sorts by receiver.</summary>
    private readonly record struct Entry(int Receiver, int Item) : IComparable<Entry>
    {
        public int CompareTo(Entry other) => Receiver != other.Receiver ? Receiver.CompareTo(other.Receiver) : Item.CompareTo(other.Item);
    }

    /// <summary>A sender's items of a step, one queue a receiver.</summary>
    private struct Queues
    {
        private readonly List<Entry> _entries;
        private readonly List<(int Next, int End)> _queues;

        public Queues(List<Entry> sorted)
        {
            _entries = sorted;
            _queues = [];
            for (int first = 0, i = 1; i <= sorted.Count; i++)
            {
                if (i < sorted.Count && sorted[i].Receiver == sorted[first].Receiver)
                    continue;
                _queues.Add((first, i));
                first = i;
            }
        }

        public readonly bool IsEmpty => _queues.Count == 0;

        /// <summary>The next item for the receiver that is free first; of equal ones the first from <paramref name="first"/> on.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly int Take(double[] receiverFree, int first)
        {
            int best = 0, leastDistance = int.MaxValue;
            double least = double.PositiveInfinity;
            for (int i = 0; i < _queues.Count; i++)
            {
                int receiver = _entries[_queues[i].Next].Receiver;
                // The queue of several receivers is alone in its step.
                double time = receiver < 0 ? 0 : receiverFree[receiver];
                int distance = receiver < first ? receiver + receiverFree.Length : receiver;
                if (time < least || (time == least && distance < leastDistance))
                    (best, least, leastDistance) = (i, time, distance);
            }

            (int next, int end) = _queues[best];
            if (next + 1 == end)
                _queues.RemoveAt(best);
            else
                _queues[best] = (next + 1, end);
            return _entries[next].Item;
        }
    }
}
