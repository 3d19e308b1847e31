using System.ComponentModel;

namespace Garden.KvCache;

/// <summary>
/// Segments: the pieces into which the page borders of both sides cut a token range. Called by generated code.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class KvSegments
{
    /// <summary>
    /// Units of one run a segment of tokens [<paramref name="firstToken"/>, + <paramref name="tokens"/>), where a token
    /// is <paramref name="bytesPerToken"/> bytes of a run; 0 bytes count the segments.
    /// </summary>
    public static long CountUnits(int firstToken, int tokens, int sourceTokensPerPage, int destinationTokensPerPage, long bytesPerToken)
    {
        long end = (long)firstToken + tokens;
        // The pattern of borders repeats where borders of both sides meet, so whole periods are counted once.
        long period = (long)sourceTokensPerPage / GreatestCommonDivisor(sourceTokensPerPage, destinationTokensPerPage) * destinationTokensPerPage;
        long firstWhole = (firstToken + period - 1) / period * period;
        long periods = (end - firstWhole) / period;
        if (periods <= 1)
            return Walk(firstToken, end);
        long endWhole = firstWhole + (periods * period);
        return Walk(firstToken, firstWhole) + (periods * Walk(0, period)) + Walk(endWhole, end);

        long Walk(long from, long to)
        {
            long units = 0;
            while (from < to)
            {
                long sourceEnd = ((from / sourceTokensPerPage) + 1) * sourceTokensPerPage;
                long destinationEnd = ((from / destinationTokensPerPage) + 1) * destinationTokensPerPage;
                long next = Math.Min(to, Math.Min(sourceEnd, destinationEnd));
                units += TransferUnits.OfRun((next - from) * bytesPerToken);
                from = next;
            }

            return units;
        }
    }

    private static int GreatestCommonDivisor(int a, int b)
    {
        while (b != 0)
            (a, b) = (b, a % b);
        return a;
    }
}
