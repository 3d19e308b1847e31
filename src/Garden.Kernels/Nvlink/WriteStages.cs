using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>Lists for the short writes of a batch each; a list is used again when its batch has landed.</summary>
internal sealed class WriteStages : IDisposable
{
    /// <summary>A kernel's launch and end take some µs, so this many batches under way keep the device busy.</summary>
    private const int Count = 16;

    /// <summary>Room for 60 writes of the longest kind.</summary>
    private const int Pieces = 4096;

    private readonly DeviceKernel<ExecuteWritesArgs> _kernel;
    private readonly DeviceWriteList[] _lists = new DeviceWriteList[Count];
    private readonly ulong[] _batches = new ulong[Count];
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

    /// <summary>How many leading writes fit one list.</summary>
    public static int Fit(ReadOnlySpan<FabricWrite> writes, int copyEngineBytes)
    {
        long pieces = 0;
        for (int i = 0; i < writes.Length; i++)
        {
            long length = writes[i].Length;
            if (length > 0 && length < copyEngineBytes && (pieces += (length / DeviceWriteList.PieceBytes) + 2) > Pieces)
                return i;
        }

        return writes.Length;
    }

    /// <summary>An empty list, null while all are under way.</summary>
    public DeviceWriteList? TryTake(ulong done)
    {
        if (_batches[_next] > done)
            return null;
        _lists[_next].Clear();
        return _lists[_next];
    }

    /// <summary>The list taken last goes with a batch.</summary>
    public void Use(ulong batch)
    {
        _batches[_next] = batch;
        _next = (_next + 1) % Count;
    }

    public void Dispose()
    {
        foreach (DeviceWriteList? list in _lists)
            list?.Dispose();
        _kernel.Dispose();
    }
}
