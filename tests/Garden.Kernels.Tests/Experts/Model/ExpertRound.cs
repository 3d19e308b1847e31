using System.Runtime.InteropServices;
using Garden.Experts;
using Garden.Kernels.Experts;

namespace Garden.Kernels.Tests.Experts.Model;

/// <summary>
/// One round of a group by the plainest reading of the protocol: which rows each rank receives, in which order, and what each token
/// becomes. Inputs are made here; everything is computed on the host, element by element.
/// </summary>
public sealed class ExpertRound<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly ExpertGroup _group;
    private readonly HashSet<int> _masked;
    private readonly bool _quantized;

    public ExpertRound(ExpertGroup group, int[][] topK, Random random, bool quantized = false, IEnumerable<int>? masked = null)
    {
        _group = group;
        _masked = [.. masked ?? []];
        _quantized = quantized;
        TopK = topK;
        Weights = [.. topK.Select(choices => choices.Select(_ => random.NextSingle()).ToArray())];
        Inputs = [.. topK.Select(choices => Input(random, choices.Length / K))];
        Scales = [.. topK.Select(choices => Enumerable.Range(0, choices.Length / K * TRouting.ScaleCount).Select(_ => random.NextSingle()).ToArray())];
    }

    private ExpertRound(ExpertRound<TRouting> other, int[][] topK)
    {
        (_group, _masked, _quantized) = (other._group, other._masked, other._quantized);
        (TopK, Weights, Inputs, Scales) = (topK, other.Weights, other.Inputs, other.Scales);
    }

    private ExpertRound(ExpertGroup group, (int[] TopK, float[] Weights, byte[] Inputs, float[] Scales)[] tokens)
    {
        (_group, _masked) = (group, []);
        TopK = [.. tokens.Select(static rank => rank.TopK)];
        Weights = [.. tokens.Select(static rank => rank.Weights)];
        Inputs = [.. tokens.Select(static rank => rank.Inputs)];
        Scales = [.. tokens.Select(static rank => rank.Scales)];
    }

    /// <summary>[rank] the results it returns, row by row, instead of made ones; for rows by rank.</summary>
    private Dictionary<int, byte[]> Results { get; } = [];

    /// <summary>[rank][token × TopK] chosen experts.</summary>
    public int[][] TopK { get; }

    public float[][] Weights { get; }

    /// <summary>[rank] activations: of the wire's type, or bfloat16 when they are quantised on the way.</summary>
    public byte[][] Inputs { get; }

    /// <summary>[rank][token × ScaleCount] scales of activations of the wire's type.</summary>
    public float[][] Scales { get; }

    /// <summary>The same round when some ranks send nothing.</summary>
    public ExpertRound<TRouting> Without(params int[] ranks) => new(this, [.. TopK.Select((choices, rank) => ranks.Contains(rank) ? [] : choices)]);

    /// <summary>A round of given tokens, of the wire's type.</summary>
    public static ExpertRound<TRouting> Of(ExpertGroup group, (int[] TopK, float[] Weights, byte[] Inputs, float[] Scales)[] tokens) => new(group, tokens);

    /// <summary>What a rank receives by rank, as tokens: experts are counted from its first.</summary>
    public (int[] TopK, float[] Weights, byte[] Inputs, float[] Scales) Forwarded(int rank)
    {
        var rows = Received(rank);
        int first = rank * ((TRouting.Experts + _group.Ranks - 1) / _group.Ranks);
        int[] topK = [.. rows.SelectMany(row => Enumerable.Range(0, K).Select(place => TopK[row.Source][(row.Token * K) + place])
            .Select(expert => expert >= 0 && RankOf(expert) == rank ? expert - first : -1))];
        float[] weights = [.. rows.SelectMany(row => Enumerable.Range(0, K).Select(place => Weight(row.Source, row.Token, place))).Select((weight, i) => topK[i] < 0 ? 0 : weight)];
        return (topK, weights, [.. rows.SelectMany(row => Row(row.Source, row.Token).Payload)], [.. rows.SelectMany(row => Row(row.Source, row.Token).Scales)]);
    }

    /// <summary>What a rank returns for the rows it received.</summary>
    public void SetResults(int rank, byte[] results) => Results[rank] = results;

    private static int K => TRouting.TopK;

    private static int ElementBytes => TRouting.CombineElementBytes;

    /// <summary>Rows that a rank receives, each once, by source and token.</summary>
    public List<(int Source, int Token)> Received(int rank)
    {
        var rows = new List<(int, int)>();
        if (_masked.Contains(rank))
            return rows;
        for (int source = 0; source < _group.Ranks; source++)
        {
            for (int token = 0; token < Tokens(source); token++)
            {
                if (!_masked.Contains(source) && Choices(source, token).Any(choice => RankOf(choice.Expert) == rank))
                    rows.Add((source, token));
            }
        }

        return rows;
    }

    /// <summary>The output rows of a rank: (source, token, place in the top-k, or −1 for a row by rank); null where nothing is written.</summary>
    public (int Source, int Token, int Place)?[] Output(int rank, ExpertOutput mode)
    {
        if (mode == ExpertOutput.RankRows)
            return [.. Received(rank).Select(static row => ((int, int, int)?)(row.Source, row.Token, -1))];
        var rows = new List<(int, int, int)?>();
        for (int expert = 0; expert < TRouting.Experts; expert++)
        {
            if (RankOf(expert) != rank)
                continue;
            for (int source = 0; source < _group.Ranks; source++)
            {
                int first = rows.Count;
                rows.AddRange(Received(rank).Where(row => row.Source == source)
                    .SelectMany(row => Chosen(source, row.Token).Where(choice => choice.Expert == expert).Select(choice => ((int, int, int)?)(source, row.Token, choice.Place))));
                while (mode == ExpertOutput.ExpertSlabs && rows.Count < first + _group.Tokens)
                    rows.Add(null);
            }

            while (mode == ExpertOutput.ExpertContiguous && rows.Count % _group.Padding != 0)
                rows.Add(null);
        }

        return [.. rows];
    }

    /// <summary>Payload and scales of a token's row on the wire.</summary>
    public (byte[] Payload, float[] Scales) Row(int source, int token)
    {
        int bytes = TRouting.HiddenSize * TRouting.ElementBytes;
        if (!_quantized)
            return (Inputs[source][(token * bytes)..((token + 1) * bytes)], Scales[source][(token * TRouting.ScaleCount)..((token + 1) * TRouting.ScaleCount)]);
        Span<ushort> input = MemoryMarshal.Cast<byte, ushort>(Inputs[source].AsSpan(token * TRouting.HiddenSize * 2, TRouting.HiddenSize * 2));
        byte[] payload = new byte[bytes];
        var scales = new float[TRouting.ScaleCount];
        for (int block = 0; block < scales.Length; block++)
        {
            double most = Math.ScaleB(1, -64);
            for (int i = block * TRouting.ScaleBlock; i < (block + 1) * TRouting.ScaleBlock; i++)
            {
                double magnitude = Math.Abs(FloatFormat.BFloat16.Decode(input[i]));
                most = magnitude > most || double.IsNaN(magnitude) ? magnitude : most;
            }

            scales[block] = (float)most / 448f;
            float inverse = 448f / (float)most;
            for (int i = block * TRouting.ScaleBlock; i < (block + 1) * TRouting.ScaleBlock; i++)
                payload[i] = (byte)FloatFormat.Float8.Encode((float)FloatFormat.BFloat16.Decode(input[i]) * inverse);
        }

        return (payload, scales);
    }

    /// <summary>The result of one output row: anything, but the same whoever asks.</summary>
    public static byte[] Result((int Source, int Token, int Place) row, int rank)
    {
        var random = new Random(HashCode.Combine(row.Source, row.Token, row.Place, rank));
        byte[] bytes = new byte[TRouting.HiddenSize * ElementBytes];
        for (int i = 0; i < TRouting.HiddenSize; i++)
            Write(bytes, i, (random.NextSingle() - 0.5f) * 8);
        return bytes;
    }

    /// <summary>What a rank's tokens become.</summary>
    /// <param name="rank">The rank.</param>
    /// <param name="mode">Where the experts' results lie decides who weights them.</param>
    /// <param name="before">What the output held, to be added to; null when it is overwritten.</param>
    /// <param name="absent">Ranks that took tokens and returned nothing.</param>
    public byte[] Combined(int rank, ExpertOutput mode, byte[]? before, params int[] absent)
    {
        byte[] output = new byte[Tokens(rank) * TRouting.HiddenSize * ElementBytes];
        int row = TRouting.HiddenSize * ElementBytes;
        for (int token = 0; token < Tokens(rank); token++)
        {
            var sums = new float[TRouting.HiddenSize];
            for (int i = 0; i < sums.Length && before is not null; i++)
                sums[i] = Read(before.AsSpan(token * row), i);
            if (TRouting.ExactCombine)
                AddChoices(sums, rank, token, absent);
            foreach (int from in Enumerable.Range(0, _group.Ranks).Where(from => !TRouting.ExactCombine && !_masked.Contains(from) && !absent.Contains(from)))
            {
                var choices = Choices(rank, token).Where(choice => RankOf(choice.Expert) == from).ToList();
                if (choices.Count == 0)
                    continue;
                byte[] partial = mode == ExpertOutput.RankRows ? RankResult(rank, token, from) : Weighted(rank, token, from, choices);
                for (int i = 0; i < sums.Length; i++)
                    sums[i] += Read(partial, i);
            }

            for (int i = 0; i < sums.Length; i++)
                Write(output.AsSpan(token * row), i, sums[i]);
        }

        return output;
    }

    public int RankOf(int expert)
    {
        int each = (TRouting.Experts + _group.Ranks - 1) / _group.Ranks;
        return expert / each;
    }

    public int Tokens(int rank) => TopK[rank].Length / K;

    /// <summary>Choices that are sent nowhere because their rank is masked.</summary>
    public int Dropped(int rank) => TopK[rank].Count(expert => expert >= 0 && _masked.Contains(RankOf(expert)));

    public float Weight(int source, int token, int place) => Weights[source][(token * K) + place];

    private byte[] RankResult(int rank, int token, int from)
    {
        if (!Results.TryGetValue(from, out byte[]? results))
            return Result((rank, token, -1), from);
        int row = Received(from).IndexOf((rank, token)), bytes = TRouting.HiddenSize * ElementBytes;
        return results[(row * bytes)..((row + 1) * bytes)];
    }

    /// <summary>Every expert's result by itself, in the order of the choices.</summary>
    private void AddChoices(float[] sums, int rank, int token, int[] absent)
    {
        foreach ((int expert, int place) in Choices(rank, token).Where(choice => !absent.Contains(RankOf(choice.Expert))))
        {
            byte[] result = Result((rank, token, FirstPlace(rank, token, expert)), RankOf(expert));
            for (int i = 0; i < sums.Length; i++)
                sums[i] = MathF.FusedMultiplyAdd(Weight(rank, token, place), Read(result, i), sums[i]);
        }
    }

    private byte[] Weighted(int rank, int token, int from, List<(int Expert, int Place)> choices)
    {
        var sums = new float[TRouting.HiddenSize];
        foreach ((int expert, int place) in choices)
        {
            byte[] result = Result((rank, token, FirstPlace(rank, token, expert)), from);
            for (int i = 0; i < sums.Length; i++)
                sums[i] = MathF.FusedMultiplyAdd(Weight(rank, token, place), Read(result, i), sums[i]);
        }

        byte[] row = new byte[TRouting.HiddenSize * ElementBytes];
        for (int i = 0; i < sums.Length; i++)
            Write(row, i, sums[i]);
        return row;
    }

    public IEnumerable<(int Expert, int Place)> Choices(int source, int token) => Enumerable.Range(0, K)
        .Select(place => (Expert: TopK[source][(token * K) + place], Place: place))
        .Where(choice => choice.Expert >= 0 && choice.Expert < TRouting.Experts && !_masked.Contains(RankOf(choice.Expert)));

    /// <summary>The choices, each expert once: a token that names one again has one row there.</summary>
    public IEnumerable<(int Expert, int Place)> Chosen(int source, int token) => Choices(source, token).DistinctBy(static choice => choice.Expert);

    /// <summary>The place of the row whose result a choice is.</summary>
    private int FirstPlace(int source, int token, int expert) => Chosen(source, token).First(choice => choice.Expert == expert).Place;

    private byte[] Input(Random random, int tokens)
    {
        byte[] bytes = TestBytes.Random(random, (long)tokens * TRouting.HiddenSize * (_quantized ? 2 : TRouting.ElementBytes));
        if (!_quantized)
            return bytes;
        Span<ushort> elements = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
        for (int i = 0; i < elements.Length; i++)
        {
            // Blocks of all sizes: ordinary ones, tiny ones, huge ones, and one of zeros.
            int block = i / TRouting.ScaleBlock;
            float size = (block % 5) switch { 0 => 1, 1 => 1e-30f, 2 => 1e30f, 3 => 0, _ => 100 };
            elements[i] = (ushort)FloatFormat.BFloat16.Encode((random.NextSingle() - 0.5f) * size);
        }

        return bytes;
    }

    private static float Read(ReadOnlySpan<byte> row, int element) => TRouting.CombineElement == ExpertElement.Float32
        ? MemoryMarshal.Cast<byte, float>(row)[element]
        : (float)FloatFormat.Of(TRouting.CombineElement).Decode(MemoryMarshal.Cast<byte, ushort>(row)[element]);

    private static void Write(Span<byte> row, int element, float value)
    {
        if (TRouting.CombineElement == ExpertElement.Float32)
            MemoryMarshal.Cast<byte, float>(row)[element] = value;
        else
            MemoryMarshal.Cast<byte, ushort>(row)[element] = (ushort)FloatFormat.Of(TRouting.CombineElement).Encode(value);
    }
}
