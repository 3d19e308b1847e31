namespace Garden.Weights;

/// <summary>Host memory and the calling thread: what is put on a queue has run when the call returns.</summary>
internal sealed unsafe class HostWeightDevice : IWeightDevice, IWeightQueue
{
    public static HostWeightDevice Instance { get; } = new();

    public MemoryKind Kind => MemoryKind.Host;

    public IWeightMemory Allocate(long bytes) => new Memory(bytes);

    public IWeightQueue CreateQueue() => this;

    // Safe, here and below: addresses and lengths are those of the interface, which the caller has checked.
    public void Copy(nint source, nint destination, long bytes) => Buffer.MemoryCopy((void*)source, (void*)destination, bytes, bytes);

    public void CopyRows(in WeightRows rows)
    {
        byte* from = (byte*)rows.Source, to = (byte*)rows.Destination;
        for (long row = 0; row < rows.Count; row++)
        {
            Buffer.MemoryCopy(from, to, rows.Bytes, rows.Bytes);
            from += rows.SourceStride;
            to += rows.DestinationStride;
        }
    }

    public void Convert(nint source, int rows, int columns, nint destination, nint scales)
    {
        int blocks = (int)Float8Blocks.ScalesOf(1, columns);
        for (int row = 0; row < rows; row += Float8Blocks.Size)
        {
            int height = Math.Min(Float8Blocks.Size, rows - row);
            long first = (long)row * columns;
            Float8Blocks.ConvertRow(
                new ReadOnlySpan<ushort>((ushort*)source + first, height * columns),
                height,
                columns,
                new Span<byte>((byte*)destination + first, height * columns),
                new Span<float>((float*)scales + (row / Float8Blocks.Size * blocks), blocks));
        }
    }

    public void Wait()
    {
    }

    public void Dispose()
    {
        // Shared by all; it holds nothing.
    }

    private sealed class Memory(long bytes) : IWeightMemory
    {
        private readonly NativeBuffer _buffer = new(bytes);

        public nint Address => (nint)_buffer.Pointer;

        public long Length => _buffer.Length;

        public void Dispose() => _buffer.Dispose();
    }
}
