namespace Garden.Weights;

/// <summary>Work on a device's memory, in order. What is put on it may run later; it has run when <see cref="Wait"/> returns.</summary>
public interface IWeightQueue : IDisposable
{
    /// <summary>Copies bytes, also between the device's memory and the host's, which stays in place until <see cref="Wait"/> has returned.</summary>
    void Copy(nint source, nint destination, long bytes);

    /// <summary>Copies rows inside the device's memory.</summary>
    void CopyRows(in WeightRows rows);

    /// <summary>Converts as <see cref="Float8Blocks"/> does, with the same bits. Everything lies in the device's memory.</summary>
    /// <param name="source">The bfloat16 elements, row-major without gaps.</param>
    /// <param name="rows">Rows; the first one begins a block.</param>
    /// <param name="columns">Columns; the first one begins a block.</param>
    /// <param name="destination">The e4m3 elements.</param>
    /// <param name="scales">The scales: ⌈rows / 128⌉ × ⌈columns / 128⌉.</param>
    void Convert(nint source, int rows, int columns, nint destination, nint scales);

    /// <summary>Waits on the calling thread until everything on the queue has run.</summary>
    /// <exception cref="GardenException">Something on it has failed.</exception>
    void Wait();
}

/// <summary>Rows of equal length at regular places.</summary>
/// <param name="Source">Address of the first one.</param>
/// <param name="Destination">Where it goes.</param>
/// <param name="Bytes">Bytes of a row.</param>
/// <param name="Count">Number of rows.</param>
/// <param name="SourceStride">Bytes from one row to the next.</param>
/// <param name="DestinationStride">The same where they go; rows do not overlap there.</param>
public readonly record struct WeightRows(nint Source, nint Destination, long Bytes, long Count, long SourceStride, long DestinationStride);
