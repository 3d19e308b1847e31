namespace Garden.Perf.Soak;

/// <summary>How a node's memory is divided: an area for each other node and stream, at the same place in source and destination.</summary>
internal static class SoakArea
{
    public const int Length = 4 << 20;
    public const int Streams = 2;

    public static long Total(int nodes) => (long)nodes * Streams * Length;

    public static long Of(int node, int stream) => (((long)node * Streams) + stream) * Length;
}
