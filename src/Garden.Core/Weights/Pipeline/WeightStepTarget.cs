namespace Garden.Weights;

/// <summary>A receiver in one step: where to write, and whether it is still worth it.</summary>
internal sealed class WeightStepTarget(WeightReceiverLink link)
{
    private Exception? _failure;

    public WeightReceiverLink Link => link;

    public RemoteRegion? Tensors { get; set; }

    public RemoteRegion? Hashes { get; set; }

    public Immediate Counter { get; set; }

    public Exception? Failure => Volatile.Read(ref _failure);

    public bool IsLive => Failure is null && Tensors is not null;

    /// <summary>The first cause stays, for which it returns true; a peer's end explains more than the writes that ended with it.</summary>
    public bool Fail(Exception cause) => Interlocked.CompareExchange(ref _failure, link.Peer.Failure ?? cause, null) is null;

    public void Dispose()
    {
        Tensors?.Dispose();
        Hashes?.Dispose();
    }
}
