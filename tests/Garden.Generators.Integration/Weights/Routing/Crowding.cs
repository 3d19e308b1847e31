using Garden.Fabric.Simulation;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>
/// Writes a schedule on a simulated network, nothing but the writes: every sender has some tasks on their way and submits the next
/// one when one has arrived whole.
/// </summary>
internal sealed class Crowding : ISimulationHandler
{
    private readonly SimulationClock _clock = new();
    private readonly SimulatedNetwork _network;
    private readonly SimulatedNic[] _senders;
    private readonly SimulatedNic[] _receivers;
    private readonly (int Receiver, long Bytes)[][][] _tasks;
    private readonly int[][] _left;
    private readonly int[] _next;

    private Crowding((int Receiver, long Bytes)[][][] tasks, int receivers)
    {
        _network = new SimulatedNetwork(_clock);
        var nic = new SimulatedNicOptions { QuantumBytes = 1 << 20, WindowBytes = 4 << 20 };
        _tasks = tasks;
        _left = [.. tasks.Select(own => own.Select(task => task.Length).ToArray())];
        _next = new int[tasks.Length];
        _senders = [.. tasks.Select(_ => _network.AddNic(nic))];
        _receivers = [.. Enumerable.Range(0, receivers).Select(_ => _network.AddNic(nic))];
    }

    /// <summary>
    /// When the last byte arrives, over what the busiest NIC needs for its bytes: as planned, and with every sender's tasks in any order
    /// (seeded).
    /// </summary>
    public static (double Planned, double Shuffled) Of(WeightSchedule schedule, int outstanding)
    {
        var planned = new (int, long)[schedule.Trainer.Ranks][][];
        var shuffled = new (int, long)[schedule.Trainer.Ranks][][];
        var random = new Random(1);
        for (int rank = 0; rank < planned.Length; rank++)
        {
            using WeightSenderPlan plan = schedule.SenderPlan(rank);
            var tasks = new List<(int, long)[]>();
            foreach (ref readonly WeightTask task in plan.Tasks)
                tasks.Add([.. plan.SendsOf(in task).ToArray().Select(send => (send.DestinationRank, send.Bytes))]);
            planned[rank] = [.. tasks];
            random.Shuffle(shuffled[rank] = [.. planned[rank]]);
        }

        return (Run(planned), Run(shuffled));

        double Run((int, long)[][][] tasks) => new Crowding(tasks, schedule.Inference.Ranks).Run(outstanding);
    }

    void ISimulationHandler.Handle(long argument)
    {
        (int rank, int task) = ((int)(argument >> 32), (int)argument);
        if (--_left[rank][task] == 0)
            Submit(rank);
    }

    private double Run(int outstanding)
    {
        for (int rank = 0; rank < _tasks.Length; rank++)
        {
            for (int i = 0; i < outstanding; i++)
                Submit(rank);
        }

        while (_clock.Step())
        {
        }

        Assert.All(_left, own => Assert.All(own, left => Assert.Equal(0, left)));
        long most = Math.Max(_senders.Max(nic => nic.BytesSent), _receivers.Max(nic => nic.BytesReceived));
        return _clock.Seconds / (most / _senders[0].Options.BytesPerSecond);
    }

    private void Submit(int rank)
    {
        int task = _next[rank]++;
        if (task >= _tasks[rank].Length)
            return;
        foreach ((int receiver, long bytes) in _tasks[rank][task])
            _network.Send(_senders[rank], _receivers[receiver], bytes, this, ((long)rank << 32) | (uint)task);
    }
}
