using System.Runtime.CompilerServices;

namespace Garden.Weights;

/// <summary>
/// Chooses a sender for every item so that the most loaded one has as little as possible.
/// </summary>
/// <remarks>
/// First as if items could be divided: each cell in turn is dealt to its candidates like water into vessels of unequal level, until
/// nothing moves. That descends the sum of squared loads, whose least value also has the least maximum. Then item by item, cells of
/// large items first, each cell dealt anew over what the ones before it came out as, so that small items mend what large ones left.
/// Within a cell the candidates take turns, so that loads are equal all along an update, not only at its end.
/// </remarks>
internal sealed class WeightBalance
{
    private const int MostPasses = 400;
    private const double Settled = 1e-5;

    private readonly WeightCell[] _cells;
    private readonly double[] _load;
    private readonly double[][] _shares;
    private readonly long[][] _bytes;
    private readonly double[] _all;

    private WeightBalance(WeightCell[] cells, int ranks)
    {
        _cells = cells;
        _load = new double[ranks];
        _shares = new double[cells.Length][];
        _bytes = [.. cells.Select(cell => Enumerable.Range(0, cell.Groups).Select(cell.BytesOf).ToArray())];
        _all = [.. cells.Select((cell, i) => (double)_bytes[i].Sum() * (cell.Outers / cell.OutersPerItem))];
    }

    /// <summary>The sender of every item.</summary>
    public static int[] Senders(WeightCell[] cells, int ranks)
    {
        var balance = new WeightBalance(cells, ranks);
        balance.Divide();
        int[] senders = new int[cells.Length == 0 ? 0 : cells[^1].FirstItem + cells[^1].Items];
        balance.Deal(senders);
        return senders;
    }

    private void Divide()
    {
        var shared = new List<int>();
        double total = 0;
        for (int i = 0; i < _cells.Length; i++)
        {
            total += _all[i];
            _shares[i] = new double[_cells[i].Candidates.Length];
            if (_shares[i].Length > 1)
                shared.Add(i);
            else
                _load[_cells[i].Candidates[0]] += _shares[i][0] = _all[i];
        }

        double settled = total / _load.Length * Settled;
        for (int pass = 0; pass < MostPasses; pass++)
        {
            double moved = 0;
            foreach (int cell in shared)
                moved = Math.Max(moved, Pour(cell));
            if (moved <= settled)
                return;
            // Back and forth, so that what moves along a chain of cells moves quickly both ways.
            shared.Reverse();
        }
    }

    /// <summary>Deals a cell over its candidates as they are loaded without it; returns the most that a share changed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private double Pour(int cell)
    {
        int[] ranks = _cells[cell].Candidates;
        double[] shares = _shares[cell];
        Span<double> levels = ranks.Length <= 512 ? stackalloc double[ranks.Length] : new double[ranks.Length];
        for (int i = 0; i < ranks.Length; i++)
            levels[i] = _load[ranks[i]] - shares[i];
        double level = Level(levels, _all[cell]), moved = 0;
        for (int i = 0; i < ranks.Length; i++)
        {
            double without = _load[ranks[i]] - shares[i], share = Math.Max(0, level - without);
            moved = Math.Max(moved, Math.Abs(share - shares[i]));
            (_load[ranks[i]], shares[i]) = (without + share, share);
        }

        return moved;
    }

    /// <summary>How high water stands over floors of these heights. Sorts them.</summary>
    private static double Level(Span<double> floors, double water)
    {
        floors.Sort();
        double below = 0;
        for (int i = 0; i < floors.Length - 1; i++)
        {
            below += floors[i];
            double level = (water + below) / (i + 1);
            if (level <= floors[i + 1])
                return level;
        }

        return (water + below + floors[^1]) / floors.Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Deal(int[] senders)
    {
        int[] order = [.. Enumerable.Range(0, _cells.Length).OrderByDescending(cell => _bytes[cell].Max()).ThenBy(cell => cell)];
        foreach (int index in order)
        {
            WeightCell cell = _cells[index];
            Span<int> own = senders.AsSpan(cell.FirstItem, cell.Items);
            if (cell.Candidates.Length == 1)
            {
                own.Fill(cell.Candidates[0]);
                continue;
            }

            Pour(index);
            double[] shares = _shares[index], given = new double[shares.Length];
            double before = 0;
            for (int item = 0; item < own.Length; item++)
            {
                double bytes = _bytes[index][item % cell.Groups];
                before += bytes;
                int most = 0;
                double owed = double.NegativeInfinity;
                for (int i = 0; i < shares.Length; i++)
                {
                    double due = (shares[i] * before / _all[index]) - given[i];
                    if (due > owed)
                        (most, owed) = (i, due);
                }

                given[most] += bytes;
                own[item] = cell.Candidates[most];
            }

            for (int i = 0; i < shares.Length; i++)
                _load[cell.Candidates[i]] += given[i] - shares[i];
            _shares[index] = given;
        }
    }
}
