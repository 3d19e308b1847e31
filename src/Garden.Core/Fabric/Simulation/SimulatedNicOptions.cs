namespace Garden.Fabric.Simulation;

/// <summary>A simulated NIC. The defaults are those of a 400 Gb/s ConnectX-7; each says where it comes from.</summary>
public sealed record SimulatedNicOptions
{
    /// <summary>
    /// Bytes per second that it sends and, at the same time, receives. Default 47.25e9: the 378 Gb/s that TransferEngine reached on a
    /// 400 Gb/s ConnectX-7 with writes of 32 MiB, as published.
    /// </summary>
    public double BytesPerSecond { get; init; } = 47.25e9;

    /// <summary>From the first byte's departure to its arrival. Default 3 µs: less than half of TransferEngine's published round trip of 10.1 µs, software included.</summary>
    public TimeSpan Latency { get; init; } = TimeSpan.FromMicroseconds(3);

    /// <summary>What an operation takes of the sender besides its bytes. Default 100 ns, the clock's grain: near the 90 ns of TransferEngine's published 11.1 M writes a second at 1 KiB pages.</summary>
    public TimeSpan OperationCost { get; init; } = TimeSpan.FromTicks(1);

    /// <summary>Bytes that a sender sends to one receiver before it turns to the next. Default 256 KiB; an assumption, small against a task.</summary>
    public long QuantumBytes { get; init; } = 256 << 10;

    /// <summary>
    /// Bytes that may be on their way from a sender to one receiver. Default 1 MiB: more than bandwidth times round trip, so that one
    /// flow fills a NIC, and little enough that a slow receiver does not hold up others.
    /// </summary>
    public long WindowBytes { get; init; } = 1 << 20;

    /// <summary>Up to so much longer an operation takes at random, so that operations overtake one another; zero keeps the order of a sender and a receiver.</summary>
    public TimeSpan Jitter { get; init; }

    internal void Validate()
    {
        if (!double.IsFinite(BytesPerSecond) || BytesPerSecond <= 0)
            throw new FabricException($"SimulatedNicOptions.BytesPerSecond is a positive number; got {BytesPerSecond}.");
        if (Latency < TimeSpan.Zero || OperationCost < TimeSpan.Zero || Jitter < TimeSpan.Zero || Latency + OperationCost + Jitter > TimeSpan.FromDays(1))
            throw new FabricException($"SimulatedNicOptions: Latency {Latency}, OperationCost {OperationCost} and Jitter {Jitter} are not negative and less than a day.");
        if (QuantumBytes is <= 0 or > 1 << 30 || WindowBytes < QuantumBytes)
            throw new FabricException($"SimulatedNicOptions: a window of {WindowBytes} bytes must hold a quantum of {QuantumBytes}, which is 1 to 2^30.");
    }
}
