using Garden.Weights;

namespace Garden.Kernels.Weights;

/// <summary>A stream of a device on which one assembler's copies and conversions run. The rank has checked all ranges.</summary>
internal sealed class WeightDeviceQueue(WeightDevice device) : IWeightQueue
{
    private readonly DeviceStream _stream = device.Device.CreateStream();

    public void Copy(nint source, nint destination, long bytes) => _stream.Copy(destination, source, bytes);

    public void CopyRows(in WeightRows rows)
    {
        if (rows.Count == 1 || (rows.SourceStride == rows.Bytes && rows.DestinationStride == rows.Bytes))
        {
            _stream.Copy(rows.Destination, rows.Source, rows.Bytes * rows.Count);
            return;
        }

        int access = device.Copies.AccessBytes(rows.Source | rows.Destination | (nint)rows.Bytes, (nint)(rows.SourceStride | rows.DestinationStride));
        int count = checked((int)rows.Count);
        device.Copies.Launch(_stream, count, rows.Bytes, access, new WeightRowsArgs
        {
            Source = (ulong)rows.Source,
            Destination = (ulong)rows.Destination,
            SourceStride = (ulong)rows.SourceStride,
            DestinationStride = (ulong)rows.DestinationStride,
            Rows = count,
            Vectors = checked((uint)(rows.Bytes / access)),
        });
    }

    public void Convert(nint source, int rows, int columns, nint destination, nint scales) =>
        device.Conversion.Launch(_stream, source, rows, columns, destination, scales);

    public void Wait() => _stream.Synchronize();

    public void Dispose() => _stream.Dispose();
}
