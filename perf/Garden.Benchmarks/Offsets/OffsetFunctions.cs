using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using Garden.Benchmarks.Expansion;
using Garden.Benchmarks.Interpreted;
using Garden.KvCache;

namespace Garden.Benchmarks.Offsets;

/// <summary>Where a row is: 1024 random (layer, token, plane) of Llama-3-70B on 8 ranks. Times are per offset.</summary>
public class OffsetFunctions
{
    private const int Rows = 1024;
    private const int Pages = 64;
    private const int PoolPages = Pages * 2;
    private readonly int[] _pages = ScatteredPages.Create(1, Pages);
    private readonly StridedLayout _layout = StridedLayout.Of<Llama70Tp8>(PoolPages);
    private readonly Dictionary<string, int> _coordinate = StridedLayout.AxisNames.ToDictionary(static axis => axis, static _ => 0);
    private readonly (int Layer, int Token, int Plane)[] _rows = new (int, int, int)[Rows];

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(3);
        for (int i = 0; i < Rows; i++)
            _rows[i] = (random.Next(Llama70Tp8.Layers), random.Next(Pages * Llama70Tp8.TokensPerPage), random.Next(2));
        long[] sums = [HandWritten(), Generated(), GeneratedThroughInterface(), InterpretedStrides(), DictionaryDriven()];
        if (sums.Any(sum => sum != sums[0]))
            throw new InvalidOperationException($"The methods disagree about the offsets: {string.Join(", ", sums)}.");
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Rows)]
    public long HandWritten()
    {
        long sum = 0;
        int[] pages = _pages;
        foreach ((int layer, int token, int plane) in _rows)
            sum += (((layer * (long)PoolPages) + pages[token / 16]) * 8192) + (plane * 4096) + (token % 16 * 256);
        return sum;
    }

    [Benchmark(OperationsPerInvoke = Rows)]
    public long Generated()
    {
        long sum = 0;
        int[] pages = _pages;
        foreach ((int layer, int token, int plane) in _rows)
            sum += Llama70Tp8.PlaneOffset(PoolPages, layer, pages[token / Llama70Tp8.TokensPerPage], plane) + Llama70Tp8.ElementOffset(token % Llama70Tp8.TokensPerPage, 0);
        return sum;
    }

    /// <summary>The same as code that is generic over the layout sees it.</summary>
    [Benchmark(OperationsPerInvoke = Rows)]
    public long GeneratedThroughInterface() => Sum<Llama70Tp8>(_rows, _pages);

    [Benchmark(OperationsPerInvoke = Rows)]
    public long InterpretedStrides()
    {
        long sum = 0;
        Span<int> coordinate = stackalloc int[4];
        coordinate.Clear();
        foreach ((int layer, int token, int plane) in _rows)
        {
            coordinate[StridedLayout.Layer] = layer;
            coordinate[StridedLayout.Token] = token;
            coordinate[StridedLayout.Plane] = plane;
            sum += _layout.Offset(coordinate, _pages);
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Rows)]
    public long DictionaryDriven()
    {
        long sum = 0;
        foreach ((int layer, int token, int plane) in _rows)
        {
            _coordinate["layer"] = layer;
            _coordinate["token"] = token;
            _coordinate["plane"] = plane;
            sum += DictionaryPlanner.Offset(_layout, _coordinate, _pages);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Sum<TLayout>((int Layer, int Token, int Plane)[] rows, int[] pages)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        long sum = 0;
        foreach ((int layer, int token, int plane) in rows)
            sum += TLayout.PlaneOffset(PoolPages, layer, pages[token / TLayout.TokensPerPage], plane) + TLayout.ElementOffset(token % TLayout.TokensPerPage, 0);
        return sum;
    }
}
