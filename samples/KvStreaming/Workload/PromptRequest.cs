namespace KvStreaming;

/// <summary>One serving request: how long its prompt is and which 512-token blocks it consists of.</summary>
/// <param name="Timestamp">Milliseconds since the first request.</param>
/// <param name="InputLength">Tokens of the prompt.</param>
/// <param name="Blocks">An id per block of 512 tokens; equal ids mean equal text from the prompt's beginning on.</param>
internal sealed record PromptRequest(long Timestamp, int InputLength, long[] Blocks)
{
    public const int TokensPerBlock = 512;

    /// <summary>Tokens of one block; the last one may be shorter.</summary>
    public int TokensOf(int block) => Math.Min(TokensPerBlock, InputLength - (block * TokensPerBlock));
}
