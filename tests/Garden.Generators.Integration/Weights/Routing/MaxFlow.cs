namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>
/// The most that flows from demands through the ranks that could meet them when no rank gives more than a capacity: Dinic's
/// algorithm. The least capacity under which all demands are met bounds every schedule from below.
/// </summary>
internal sealed class MaxFlow
{
    private readonly List<(int To, long Capacity)> _edges = [];
    private readonly List<int>[] _from;
    private readonly int[] _level;
    private readonly int[] _next;
    private readonly int _target;

    private MaxFlow(List<(int[] Ranks, long Bytes)> demands, int ranks, long capacity)
    {
        // Nodes: the source, one a demand, one a rank, the target.
        _target = 1 + demands.Count + ranks;
        _from = [.. Enumerable.Range(0, _target + 1).Select(_ => new List<int>())];
        (_level, _next) = (new int[_target + 1], new int[_target + 1]);
        for (int i = 0; i < demands.Count; i++)
        {
            Add(0, 1 + i, demands[i].Bytes);
            foreach (int rank in demands[i].Ranks)
                Add(1 + i, 1 + demands.Count + rank, demands[i].Bytes);
        }

        for (int rank = 0; rank < ranks; rank++)
            Add(1 + demands.Count + rank, _target, capacity);
    }

    /// <summary>The least that the most loaded rank can give.</summary>
    public static long LeastMaximum(List<(int[] Ranks, long Bytes)> demands, int ranks)
    {
        long all = demands.Sum(demand => demand.Bytes), low = all / ranks, high = all;
        while (low < high)
        {
            long middle = low + ((high - low) / 2);
            if (new MaxFlow(demands, ranks, middle).Run() == all)
                high = middle;
            else
                low = middle + 1;
            // To a millionth: the claim is about a fiftieth.
            if (high - low < all / ranks / 1_000_000)
                break;
        }

        return low;
    }

    private void Add(int from, int to, long capacity)
    {
        _from[from].Add(_edges.Count);
        _edges.Add((to, capacity));
        _from[to].Add(_edges.Count);
        _edges.Add((from, 0));
    }

    private long Run()
    {
        long flow = 0;
        while (Levels())
        {
            Array.Clear(_next);
            while (Push(0, long.MaxValue) is var pushed and > 0)
                flow += pushed;
        }

        return flow;
    }

    private bool Levels()
    {
        Array.Fill(_level, -1);
        _level[0] = 0;
        var queue = new Queue<int>([0]);
        while (queue.TryDequeue(out int node))
        {
            foreach (int edge in _from[node])
            {
                (int to, long capacity) = _edges[edge];
                if (capacity > 0 && _level[to] < 0)
                {
                    _level[to] = _level[node] + 1;
                    queue.Enqueue(to);
                }
            }
        }

        return _level[_target] >= 0;
    }

    private long Push(int node, long most)
    {
        if (node == _target)
            return most;
        for (; _next[node] < _from[node].Count; _next[node]++)
        {
            int edge = _from[node][_next[node]];
            (int to, long capacity) = _edges[edge];
            if (capacity == 0 || _level[to] != _level[node] + 1)
                continue;
            long pushed = Push(to, Math.Min(most, capacity));
            if (pushed == 0)
                continue;
            _edges[edge] = (to, capacity - pushed);
            _edges[edge ^ 1] = (node, _edges[edge ^ 1].Capacity + pushed);
            return pushed;
        }

        return 0;
    }
}
