using System.Runtime.InteropServices;
using Garden.Experts;

namespace Garden.Generators.Integration.Experts;

/// <summary>
/// A whole exchange between all ranks of a group, in memory laid out by the generated sizes, held against the plainest reading of
/// "every token goes once to every rank that holds one of its experts". Rows carry (source, token) so that none can be mistaken.
/// </summary>
public sealed class ExchangeModel<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const byte Poison = 0xcd;

    private readonly ExpertGroup _group;
    private readonly uint _epoch;
    private readonly int[][] _topK;
    private readonly byte[][] _regions;
    private readonly int[][] _slots;
    private readonly int[][] _combineRows;

    public ExchangeModel(ExpertGroup group, uint epoch, int[][] topK)
    {
        _group = group;
        _epoch = epoch;
        _topK = topK;
        _regions = [.. topK.Select(_ => Poisoned(ExpertBuffers.DispatchBytes<TRouting>(group.Ranks, group.RanksPerNode, group.Tokens)))];
        _slots = new int[topK.Length][];
        _combineRows = new int[topK.Length][];
    }

    private static int K => TRouting.TopK;

    public void Run()
    {
        for (int source = 0; source < _group.Ranks; source++)
            Send(source);
        byte[][] combined = [.. _topK.Select(_ => Poisoned(ExpertBuffers.CombineBytes<TRouting>(_group.Ranks, _group.Tokens)))];
        for (int rank = 0; rank < _group.Ranks; rank++)
            Receive(rank, combined);
        for (int source = 0; source < _group.Ranks; source++)
            Combine(source, combined[source]);
    }

    private void Send(int source)
    {
        int[] topK = _topK[source], rows = new int[_group.Ranks], selections = new int[TRouting.Experts], ordinals = new int[topK.Length];
        int[] slots = _slots[source] = new int[topK.Length], combineRows = _combineRows[source] = new int[_group.Ranks];
        int total = ExpertDispatch.Count<TRouting>(_group, topK, rows, selections, slots, ordinals);
        Assert.Equal(total, ExpertDispatch.CombineRows(rows, combineRows));
        Assert.True(total <= ExpertBuffers.CombineRows<TRouting>(_group.Ranks, _group.Tokens));
        for (int expert = 0; expert < TRouting.Experts; expert++)
            Assert.Equal(topK.Count(chosen => chosen == expert), selections[expert]);

        byte[] line = new byte[ExpertBuffers.LineBytes<TRouting>(_group.Ranks)], row = new byte[TRouting.RowBytes];
        float[] weights = [.. Enumerable.Range(1, K)];
        for (int rank = 0; rank < _group.Ranks; rank++)
        {
            int[] tokens = Tokens(source, rank);
            Assert.Equal(tokens.Length, rows[rank]);
            ExpertDispatch.WriteLine<TRouting>(_group, rank, _epoch, rows[rank], combineRows[rank], selections, line);
            Put(_regions[rank], ExpertBuffers.SlotOffset<TRouting>(_group, _epoch, rank, source), line);
            for (int slot = 0; slot < tokens.Length; slot++)
            {
                row.AsSpan().Clear();
                MemoryMarshal.Write(row, (source, tokens[slot]));
                ExpertDispatch.WriteSelections<TRouting>(_group, rank, topK.AsSpan(tokens[slot] * K, K), ordinals.AsSpan(tokens[slot] * K, K), weights, row);
                Put(_regions[rank], ExpertBuffers.RowOffset<TRouting>(_group, _epoch, rank, source, slot), row);
            }
        }

        CheckStaging(source, rows);
    }

    private void Receive(int rank, byte[][] combined)
    {
        int[] experts = [.. ExpertsOf(rank)];
        int[] counts = new int[_group.Ranks * experts.Length], sourceRows = new int[counts.Length], expertRows = new int[experts.Length + 1];
        var headers = new ExpertRankHeader[_group.Ranks];
        for (int source = 0; source < _group.Ranks; source++)
        {
            headers[source] = ExpertReceive.ReadLine<TRouting>(
                _group, rank, Get(rank, ExpertBuffers.SlotOffset<TRouting>(_group, _epoch, rank, source), (int)ExpertBuffers.LineBytes<TRouting>(_group.Ranks)), counts.AsSpan(source * experts.Length, experts.Length));
            Assert.Equal(_epoch, headers[source].Epoch);
        }

        int packed = ExpertReceive.Pack<TRouting>(_group, rank, counts, expertRows, sourceRows);
        Assert.True(packed <= ExpertBuffers.ContiguousRows<TRouting>(_group.Ranks, _group.Tokens, _group.Padding));
        var output = new (int Source, int Token, int Choice)?[packed];
        Fan(rank, headers, experts, sourceRows, output);
        Assert.Equal(Expected(experts, out int[] begins), output);
        Assert.Equal(begins, expertRows);

        ExpertReceive.Slabs<TRouting>(_group, rank, sourceRows);
        var slabs = new (int Source, int Token, int Choice)?[ExpertBuffers.SlabRows<TRouting>(_group.Ranks, _group.Tokens)];
        Fan(rank, headers, experts, sourceRows, slabs);
        Assert.Equal(output.Where(row => row is not null), slabs.Where(row => row is not null));

        for (int source = 0; source < _group.Ranks; source++)
        {
            byte[] row = new byte[TRouting.CombineRowBytes];
            for (int slot = 0; slot < headers[source].Rows; slot++)
            {
                (int from, int token) = MemoryMarshal.Read<(int, int)>(Get(rank, ExpertBuffers.RowOffset<TRouting>(_group, _epoch, rank, source, slot), 8));
                Assert.Equal(source, from);
                MemoryMarshal.Write(row, (rank, token));
                Put(combined[source], ExpertBuffers.CombineRowOffset<TRouting>(_group, _epoch, headers[source].CombineRow + slot), row);
            }
        }
    }

    /// <summary>Puts every choice of every row where it belongs; a place that is taken already is an error.</summary>
    private void Fan(int rank, ExpertRankHeader[] headers, int[] experts, int[] sourceRows, (int Source, int Token, int Choice)?[] output)
    {
        for (int source = 0; source < _group.Ranks; source++)
        {
            int rows = headers[source].Rows;
            int[] selections = new int[rows * K], inverse = new int[rows * K];
            for (int slot = 0; slot < rows; slot++)
            {
                Span<byte> row = Get(rank, ExpertBuffers.RowOffset<TRouting>(_group, _epoch, rank, source, slot), TRouting.RowBytes);
                MemoryMarshal.Cast<byte, int>(row.Slice(TRouting.SelectionsOffset, 4 * K)).CopyTo(selections.AsSpan(slot * K));
                Span<float> weights = MemoryMarshal.Cast<byte, float>(row.Slice(TRouting.WeightsOffset, 4 * K));
                for (int k = 0; k < K; k++)
                    Assert.Equal(selections[(slot * K) + k] < 0 ? 0 : k + 1, weights[k]);
            }

            ExpertReceive.Place<TRouting>(_group, rank, selections, sourceRows.AsSpan(source * experts.Length, experts.Length), inverse);
            for (int i = 0; i < inverse.Length; i++)
            {
                int token = MemoryMarshal.Read<(int, int Token)>(Get(rank, ExpertBuffers.RowOffset<TRouting>(_group, _epoch, rank, source, i / K), 8)).Token;
                int chosen = _topK[source][(token * K) + (i % K)];
                if (!experts.Contains(chosen))
                {
                    Assert.Equal((-1, -1), (selections[i], inverse[i]));
                    continue;
                }

                Assert.Equal(chosen, experts[ExpertSelection.Expert(selections[i])]);
                Assert.Null(output[inverse[i]]);
                output[inverse[i]] = (source, token, i % K);
            }
        }
    }

    private void Combine(int source, byte[] combined)
    {
        int[] topK = _topK[source], sources = new int[topK.Length];
        ExpertCombine.Sources<TRouting>(_group, topK, _slots[source], _combineRows[source], sources);
        for (int token = 0; token < topK.Length / K; token++)
        {
            int[] ranks = [.. Enumerable.Range(0, _group.Ranks).Where(rank => Tokens(source, rank).Contains(token))];
            int[] rows = sources[(token * K)..((token + 1) * K)];
            Assert.All(rows[ranks.Length..], row => Assert.Equal(-1, row));
            Assert.Equal(
                ranks.Select(rank => (rank, token)),
                rows[..ranks.Length].Select(row => MemoryMarshal.Read<(int, int)>(combined.AsSpan((int)ExpertBuffers.CombineRowOffset<TRouting>(_group, _epoch, row)))));
        }
    }

    /// <summary>What a network would have to read fits the staging, for every rank.</summary>
    private void CheckStaging(int source, int[] rows)
    {
        long dispatch = 0;
        for (int rank = 0; rank < _group.Ranks; rank++)
        {
            if (rank / _group.RanksPerNode == source / _group.RanksPerNode)
                continue;
            dispatch = (dispatch + 127) / 128 * 128;
            dispatch += ExpertBuffers.DispatchWriteBytes<TRouting>(_group.Ranks, rows[rank]);
        }

        Assert.True(dispatch <= ExpertBuffers.DispatchStagingBytes<TRouting>(_group.Ranks, _group.RanksPerNode, _group.Tokens));
    }

    /// <summary>Experts one after the other, each with its rows in order of source and token, filled up.</summary>
    private (int Source, int Token, int Choice)?[] Expected(int[] experts, out int[] begins)
    {
        var rows = new List<(int, int, int)?>();
        var first = new List<int>();
        foreach (int expert in experts)
        {
            first.Add(rows.Count);
            for (int source = 0; source < _group.Ranks; source++)
            {
                for (int i = 0; i < _topK[source].Length; i++)
                {
                    if (_topK[source][i] == expert)
                        rows.Add((source, i / K, i % K));
                }
            }

            while (rows.Count % _group.Padding != 0)
                rows.Add(null);
        }

        begins = [.. first, rows.Count];
        return [.. rows];
    }

    /// <summary>Tokens of a source that have an expert on a rank, in order.</summary>
    private int[] Tokens(int source, int rank)
    {
        int[] experts = [.. ExpertsOf(rank)];
        return [.. Enumerable.Range(0, _topK[source].Length / K).Where(token => _topK[source].Skip(token * K).Take(K).Any(experts.Contains))];
    }

    private IEnumerable<int> ExpertsOf(int rank)
    {
        int each = 0;
        while (each * _group.Ranks < TRouting.Experts)
            each++;
        return Enumerable.Range(0, TRouting.Experts).Where(expert => expert / each == rank);
    }

    private Span<byte> Get(int rank, long offset, int length) => _regions[rank].AsSpan((int)offset, length);

    /// <summary>Writes where nothing was written; a place outside the region throws.</summary>
    private static void Put(byte[] region, long offset, byte[] bytes)
    {
        Span<byte> place = region.AsSpan((int)offset, bytes.Length);
        Assert.False(place.ContainsAnyExcept(Poison), $"Two pieces overlap at {offset}.");
        bytes.CopyTo(place);
    }

    private static byte[] Poisoned(long bytes)
    {
        byte[] region = new byte[bytes];
        region.AsSpan().Fill(Poison);
        return region;
    }
}
