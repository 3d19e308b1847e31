namespace Garden.Fabric.Loopback;

/// <summary>The wire from one NIC to another: what lies between them besides the NICs' own states.</summary>
/// <remarks>
/// Changed under the network's lock, read by the sender inside its section. The fence epoch counts fences: what goes over a
/// route from before one must not land after it. A route opened later is a new connection and passes.
/// </remarks>
internal sealed class LoopbackLink(string source, string destination, LoopbackPort sender)
{
    private volatile bool _partitioned;
    private volatile bool _blocked;
    private volatile int _fenceEpoch;
    private volatile int _receiverRoute = -1;

    public string Source { get; } = source;

    public string Destination { get; } = destination;

    public LoopbackPort Sender { get; } = sender;

    public bool IsCut => _partitioned;

    public bool IsPartitioned
    {
        get => _partitioned;
        set => _partitioned = value;
    }

    /// <summary>True while the sender waits for the receiver to give credits back.</summary>
    public bool IsBlocked
    {
        get => _blocked;
        set => _blocked = value;
    }

    public int FenceEpoch => _fenceEpoch;

    /// <summary>The receiver's route back to the sender, −1 for none.</summary>
    public int ReceiverRoute
    {
        get => _receiverRoute;
        set => _receiverRoute = value;
    }

    public void Fence() => _fenceEpoch++;
}
