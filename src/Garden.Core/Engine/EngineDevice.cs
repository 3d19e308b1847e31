using Garden.Fabric;

namespace Garden;

/// <summary>One device of an engine: a group of one to eight NICs (TransferEngine's DomainGroup) with a worker.</summary>
public sealed class EngineDevice
{
    private readonly Worker _worker;

    internal EngineDevice(Worker worker)
    {
        _worker = worker;
        Nics = [.. worker.Nics.Select(static nic => nic.Capabilities)];
    }

    /// <summary>Index within the engine.</summary>
    public int Index => _worker.Device;

    /// <summary>What peers connect to.</summary>
    public NetAddress Address => _worker.Address;

    /// <summary>What each NIC does and promises.</summary>
    public IReadOnlyList<FabricCapabilities> Nics { get; }

    /// <summary>Nominal speed of all NICs together in Gbit/s, 0 when unknown.</summary>
    public double LinkGigabitsPerSecond => Nics.Sum(static nic => nic.LinkGigabitsPerSecond);

    /// <summary>What a sender's completion means on every NIC of the device: the weakest level of them.</summary>
    public FabricCompletionLevel Completion => Nics.Min(static nic => nic.Completion);

    /// <summary>True when every NIC keeps the order of a route's writes.</summary>
    public bool Ordered => Nics.All(static nic => nic.Ordered);

    /// <summary>Which fabric and NICs carry the bytes, and how many each has carried.</summary>
    public IReadOnlyList<NicStatistics> GetStatistics() =>
        [.. _worker.Nics.Select(nic => new NicStatistics(
            Address.Fabric,
            nic.Domain.Address,
            nic.Alive,
            nic.Outstanding,
            Volatile.Read(ref nic.Counters.Writes),
            Volatile.Read(ref nic.Counters.Bytes),
            Volatile.Read(ref nic.Counters.Immediates),
            Volatile.Read(ref nic.Counters.BackPressure),
            Volatile.Read(ref nic.Counters.Errors),
            Volatile.Read(ref nic.Counters.MessagesSent),
            Volatile.Read(ref nic.Counters.MessagesReceived)))];
}

/// <summary>What one NIC has done since the engine was built.</summary>
/// <param name="Fabric">The fabric's name.</param>
/// <param name="Nic">The NIC's address.</param>
/// <param name="Alive">False once it has failed.</param>
/// <param name="InFlight">Writes posted and not completed.</param>
/// <param name="Writes">Writes posted.</param>
/// <param name="Bytes">Payload bytes posted.</param>
/// <param name="Immediates">Immediates received.</param>
/// <param name="BackPressure">Posts that were not taken whole.</param>
/// <param name="Errors">Writes that ended badly.</param>
/// <param name="MessagesSent">Messages sent.</param>
/// <param name="MessagesReceived">Messages received.</param>
public readonly record struct NicStatistics(
    string Fabric,
    string Nic,
    bool Alive,
    int InFlight,
    long Writes,
    long Bytes,
    long Immediates,
    long BackPressure,
    long Errors,
    long MessagesSent,
    long MessagesReceived);
