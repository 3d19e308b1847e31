namespace KvStreaming;

/// <summary>
/// Requests as a chat service sees them: log-normal prompt lengths, a few system prompts that everyone shares, and
/// conversations that come back with their history and a bit more. Seeded.
/// </summary>
internal sealed class RequestGenerator(int seed)
{
    private const int SystemPrompts = 4;
    private const int MeanGapMilliseconds = 300;
    private const double MedianTokens = 9000;
    private const double Spread = 0.7;
    private const int LongestPrompt = 49_152;

    private readonly Random _random = new(seed);
    private readonly List<PromptRequest> _history = [];
    private long _nextBlock = 1000;
    private long _timestamp;

    public List<PromptRequest> Generate(int count)
    {
        for (int i = 0; i < count; i++)
        {
            _timestamp += _random.Next(2 * MeanGapMilliseconds);
            _history.Add(Next());
        }

        return _history;
    }

    private PromptRequest Next()
    {
        bool continues = _history.Count > 0 && _random.NextDouble() < 0.25;
        long[] prefix = continues ? WholeBlocks(_history[_random.Next(_history.Count)]) : SystemPrompt(_random.Next(SystemPrompts));
        int own = (int)Math.Clamp(MedianTokens * Math.Exp(Spread * Gaussian()), 64, LongestPrompt);
        int length = Math.Min((prefix.Length * PromptRequest.TokensPerBlock) + own, LongestPrompt);
        int blocks = (length + PromptRequest.TokensPerBlock - 1) / PromptRequest.TokensPerBlock;
        return new PromptRequest(_timestamp, length, [.. prefix.Take(blocks), .. NewBlocks(Math.Max(0, blocks - prefix.Length))]);
    }

    private static long[] WholeBlocks(PromptRequest request) => request.Blocks[..(request.InputLength / PromptRequest.TokensPerBlock)];

    private static long[] SystemPrompt(int index)
    {
        // 1 to 4 blocks each, ids below those of the conversations.
        long[] blocks = new long[index + 1];
        for (int i = 0; i < blocks.Length; i++)
            blocks[i] = (index * SystemPrompts) + i;
        return blocks;
    }

    private IEnumerable<long> NewBlocks(int count)
    {
        for (int i = 0; i < count; i++)
            yield return _nextBlock++;
    }

    private double Gaussian() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
}
