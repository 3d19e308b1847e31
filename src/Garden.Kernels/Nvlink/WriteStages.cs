namespace Garden.Kernels.Nvlink;

/// <summary>Lists for the short writes of a batch each; a list is used again when its batch has landed.</summary>
internal sealed class WriteStages : IDisposable
{
    /// <summary>The longest write in bytes: whatever its memory is, it fits a list. A multiple of the units writes are split by.</summary>
    public const long MostBytes = (Pieces - 4L) * DeviceWriteList.PieceBytes;

    /// <summary>Batches under way at once, and one more that is made meanwhile.</summary>
    private const int Count = NvlinkDomain.MostBatches + 1;

    private const int Pieces = 8192;

    private readonly DeviceKernel<ExecuteWritesArgs> _kernel;
    private readonly DeviceWriteList[] _lists = new DeviceWriteList[Count];
    private int _next;

    public WriteStages(KernelDevice device)
    {
        _kernel = device.Load<ExecuteWritesArgs>(ExecuteWrites.Run);
        try
        {
            for (int i = 0; i < Count; i++)
                _lists[i] = new DeviceWriteList(device, Pieces, _kernel);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>True when a write still fits a list; one that is longer than any may be needs no room, because it is refused.</summary>
    public static bool Fits(DeviceWriteList list, long length) => length is <= 0 or > MostBytes || list.Count + (length / DeviceWriteList.PieceBytes) + 2 <= Pieces;

    /// <summary>An empty list. No more than <see cref="NvlinkDomain.MostBatches"/> others are under way.</summary>
    public DeviceWriteList Take()
    {
        _lists[_next].Clear();
        return _lists[_next];
    }

    /// <summary>The list taken last is under way.</summary>
    public void Use() => _next = (_next + 1) % Count;

    public void Dispose()
    {
        foreach (DeviceWriteList? list in _lists)
            list?.Dispose();
        _kernel.Dispose();
    }
}
