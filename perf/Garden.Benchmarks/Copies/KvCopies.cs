using BenchmarkDotNet.Attributes;
using Garden.Benchmarks.Expansion;
using Garden.KvCache;

namespace Garden.Benchmarks.Copies;

/// <summary>Host gather and scatter of one layer of 1024 tokens. The ceiling is a memcpy of the same bytes in one piece. Times are per token.</summary>
public abstract class KvCopies<TLayout> : IDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    private const int Tokens = 1024;
    private const int Layer = 1;
    private static readonly int s_pages = Tokens / TLayout.TokensPerPage;
    private static readonly int s_poolPages = s_pages * 2;
    private static readonly int s_bytes = (int)(Tokens * TLayout.BytesPerToken);
    private readonly int[] _pages = ScatteredPages.Create(1, s_pages);
    // Only the layer that is touched takes memory.
    private readonly NativeBuffer _pool = new(TLayout.PoolBytes(s_poolPages));
    private readonly NativeBuffer _tokens = new(s_bytes);

    [GlobalSetup]
    public void Setup()
    {
        var bytes = new byte[s_bytes];
        new Random(4).NextBytes(bytes);
        bytes.CopyTo(TokenBytes);
        Scatter();
        TokenBytes.Clear();
        Gather();
        if (!TokenBytes.SequenceEqual(bytes))
            throw new InvalidOperationException($"{typeof(TLayout).Name}: gather did not bring back what scatter took away.");
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _pool.Dispose();
        _tokens.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Tokens)]
    public byte Memcpy()
    {
        _pool.Span(TLayout.PlaneOffset(s_poolPages, Layer, 0, 0), s_bytes).CopyTo(TokenBytes);
        return TokenBytes[^1];
    }

    [Benchmark(OperationsPerInvoke = Tokens)]
    public byte Gather()
    {
        TLayout.Gather(PoolBytes, s_poolPages, Layer, _pages, Tokens, TokenBytes);
        return TokenBytes[^1];
    }

    [Benchmark(OperationsPerInvoke = Tokens)]
    public byte Scatter()
    {
        TLayout.Scatter(TokenBytes, PoolBytes, s_poolPages, Layer, _pages, Tokens);
        return PoolBytes[^1];
    }

    private Span<byte> PoolBytes => _pool.Span(0, (int)_pool.Length);

    private Span<byte> TokenBytes => _tokens.Span(0, s_bytes);
}

/// <summary>Pieces of a page, 72 KiB.</summary>
public class DeepSeekCopies : KvCopies<DeepSeekV3>;

/// <summary>Pieces of a row, 256 B.</summary>
public class LlamaHndCopies : KvCopies<Llama70Hnd>;
