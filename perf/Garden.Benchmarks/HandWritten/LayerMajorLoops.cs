using System.Runtime.CompilerServices;

namespace Garden.Benchmarks.HandWritten;

/// <summary>DeepSeek-V3, layer-major: a page of a layer is 64 tokens × 576 × 2 B.</summary>
public readonly struct DeepSeekLayers : IHandWritten
{
    public static int Expand(in HandWrittenInput input, ref int layer, ref int page, Span<WriteDescriptor> descriptors) =>
        LayerLoop.Run(in input, 73_728, 2, ref layer, ref page, descriptors);
}

/// <summary>Llama-3-70B on 8 ranks, layer-major: a page of a layer is 2 × 16 tokens × 1 head × 128 × 2 B.</summary>
public readonly struct LlamaLayers : IHandWritten
{
    public static int Expand(in HandWrittenInput input, ref int layer, ref int page, Span<WriteDescriptor> descriptors) =>
        LayerLoop.Run(in input, 8192, 1, ref layer, ref page, descriptors);
}

internal static class LayerLoop
{
    /// <summary>For each layer, each page; inlined, so that a caller's sizes are constants here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Run(in HandWrittenInput input, long bytes, uint units, ref int layer, ref int page, Span<WriteDescriptor> descriptors)
    {
        int written = 0;
        while (layer < input.Layers && written < descriptors.Length)
        {
            long start = layer * input.PoolPages * bytes;
            written += PageLoop.Run(in input, start, start, bytes, bytes, units, ref page, descriptors[written..]);
            if (page == input.Pages)
            {
                layer++;
                page = 0;
            }
        }

        return written;
    }
}
