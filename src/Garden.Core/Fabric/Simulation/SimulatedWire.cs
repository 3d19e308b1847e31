using Garden.Fabric.Loopback;

namespace Garden.Fabric.Simulation;

/// <summary>
/// A network of engines in virtual time. Bytes move, and faults happen, as on the loopback fabric; when, the simulated NICs say.
/// </summary>
/// <remarks>
/// Software takes no time here: the clock stands still while engines work, and goes on to the next arrival when one of them polls and
/// has nothing to do. The same operations in the same order take the same times; what engines do by real time (deadlines, heartbeats)
/// knows nothing of the clock and comes in between when it likes.
/// </remarks>
public sealed class SimulatedWire
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, SimulatedNic> _nics = [];
    private readonly SimulatedNetwork _network;

    /// <summary>A wire; <paramref name="seed"/> is that of all that is random on it.</summary>
    public SimulatedWire(int seed = 0) => _network = new SimulatedNetwork(new SimulationClock(), seed);

    /// <summary>Faults: failing NICs, partitions, held deliveries.</summary>
    public LoopbackNetwork Faults { get; } = new();

    /// <summary>Virtual seconds since the beginning.</summary>
    public double Seconds
    {
        get
        {
            lock (_lock)
                return _network.Clock.Seconds;
        }
    }

    /// <summary>From now on a NIC is so many times slower.</summary>
    /// <exception cref="KeyNotFoundException">No NIC has the address.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The factor is not a positive number.</exception>
    public void SlowNic(string address, double factor)
    {
        lock (_lock)
            _nics[address].Slow(factor);
    }

    internal SimulatedNic AddNic(string address, SimulatedNicOptions options)
    {
        lock (_lock)
            return _nics[address] = _network.AddNic(options);
    }

    /// <summary>Puts an operation on its way; false when nobody is at the address, so that nothing keeps it.</summary>
    internal bool TrySend(SimulatedNic from, string address, long bytes, ISimulationHandler arrived, long argument)
    {
        lock (_lock)
        {
            if (!_nics.TryGetValue(address, out SimulatedNic? to))
                return false;
            _network.Send(from, to, bytes, arrived, argument);
            return true;
        }
    }

    /// <summary>Goes on to the next event. Handlers run on this thread, one at a time.</summary>
    internal void Step()
    {
        lock (_lock)
            _network.Clock.Step();
    }
}
