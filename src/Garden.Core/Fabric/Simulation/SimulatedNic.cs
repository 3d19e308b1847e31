namespace Garden.Fabric.Simulation;

/// <summary>A NIC of a simulated network: what it did, and its faults.</summary>
public sealed class SimulatedNic
{
    internal SimulatedNic(int number, SimulatedNicOptions options)
    {
        Number = number;
        Options = options;
        Rate = options.BytesPerSecond;
        Latency = SimulationClock.TimeOf(options.Latency);
        OperationCost = SimulationClock.TimeOf(options.OperationCost);
        Jitter = SimulationClock.TimeOf(options.Jitter);
    }

    /// <summary>Its number in the network.</summary>
    public int Number { get; }

    /// <summary>What it was made with.</summary>
    public SimulatedNicOptions Options { get; }

    /// <summary>True after <see cref="Fail"/>.</summary>
    public bool IsFailed { get; private set; }

    /// <summary>Bytes sent so far.</summary>
    public long BytesSent { get; internal set; }

    /// <summary>Bytes received, those on the way included.</summary>
    public long BytesReceived { get; internal set; }

    /// <summary>Picoseconds spent sending.</summary>
    public long SendingTime { get; internal set; }

    /// <summary>Picoseconds spent receiving.</summary>
    public long ReceivingTime { get; internal set; }

    internal double Rate { get; private set; }

    internal long Latency { get; }

    internal long OperationCost { get; }

    internal long Jitter { get; }

    internal long ReceiverFree { get; set; }

    internal bool IsSending { get; set; }

    /// <summary>Flows with something to send and a window for it, in turn.</summary>
    internal Queue<int> Turn { get; } = new();

    /// <summary>For the number of every other NIC, one more than the flow's; 0 for none.</summary>
    internal int[] Flows = [];

    /// <summary>From now on the NIC is down: what is on the way to it or from it does not count as arrived.</summary>
    public void Fail() => IsFailed = true;

    /// <summary>From now on the NIC is so many times slower in both directions: a straggler.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The factor is not a positive number.</exception>
    public void Slow(double factor)
    {
        if (!double.IsFinite(factor) || factor <= 0)
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "A factor is a positive number.");
        Rate = Options.BytesPerSecond / factor;
    }
}
