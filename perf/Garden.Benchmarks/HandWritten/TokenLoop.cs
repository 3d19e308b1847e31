namespace Garden.Benchmarks.HandWritten;

/// <summary>
/// Llama-3-70B from 8 ranks (16 tokens a page) to 4 (32 tokens a page): the sender's one head is every second row on the
/// receiver's side, so each token is a write of its own and nobody would look for neighbours.
/// </summary>
public readonly unsafe struct TokenLoop : IHandWritten
{
    /// <summary>The first position counts planes of pages, the second the tokens of one.</summary>
    public static int Expand(in HandWrittenInput input, ref int page, ref int token, Span<WriteDescriptor> descriptors)
    {
        int written = 0;
        // The order of the sender's memory: layer, page, plane, token. `page` counts the first three.
        int ends = input.Layers * input.Pages * 2;
        while (page < ends)
        {
            int plane = page & 1, listed = (page >> 1) % input.Pages, layer = (page >> 1) / input.Pages;
            // Safe: listed < Pages, and two of the sender's pages fill one of the receiver's.
            long source = (((layer * (long)input.PoolPages) + input.SourcePages[listed]) * 8192) + (plane * 4096);
            long destination = (((layer * (long)input.PoolPages) + input.DestinationPages[listed >> 1]) * 32_768) + (plane * 16_384)
                + ((listed & 1) * 16 * 512);
            for (; token < 16; token++)
            {
                if (written == descriptors.Length)
                    return written;
                descriptors[written++] = WriteDescriptor.Create(
                    default, source + (token * 256), default, destination + (token * 512), 256, input.Immediate, 1);
            }

            page++;
            token = 0;
        }

        return written;
    }
}
