namespace Garden.Benchmarks.HandWritten;

/// <summary>DeepSeek-V3, page-major: the layers of a page are neighbours, 61 of them lie between two pages.</summary>
public readonly struct DeepSeekPages : IHandWritten
{
    public static int Expand(in HandWrittenInput input, ref int unused, ref int page, Span<WriteDescriptor> descriptors)
    {
        long length = input.Layers * 73_728L;
        return PageLoop.Run(in input, 0, 0, 61 * 73_728L, length, (uint)((length + 65_535) >> 16), ref page, descriptors);
    }
}

/// <summary>Llama-3-70B on 8 ranks, page-major.</summary>
public readonly struct LlamaPages : IHandWritten
{
    public static int Expand(in HandWrittenInput input, ref int unused, ref int page, Span<WriteDescriptor> descriptors)
    {
        long length = input.Layers * 8192L;
        return PageLoop.Run(in input, 0, 0, 80 * 8192L, length, (uint)((length + 65_535) >> 16), ref page, descriptors);
    }
}
