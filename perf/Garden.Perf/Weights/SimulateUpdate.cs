using Garden.Fabric.Simulation;

namespace Garden.Perf.Weights;

/// <summary>What came out of a simulated update.</summary>
/// <param name="Seconds">From the start to the last byte's arrival and the last barrier.</param>
/// <param name="StageSeconds">What rank 0's stages took, one entry a stage.</param>
/// <param name="WaitSeconds">How long rank 0 did nothing: it waited for other members of a gather, for its writes to arrive, for barriers.</param>
/// <param name="GatherWaitSeconds">How long its gathers waited for other members.</param>
/// <param name="SenderBusy">How much of the time the NIC of the busiest trainer rank sent.</param>
/// <param name="ReceiverBusy">How much of the time the NIC of the busiest inference rank received.</param>
/// <param name="BoundSeconds">What the busiest NIC needs for the bytes it carries.</param>
/// <param name="Steps">Events.</param>
internal sealed record SimulateResult(
    double Seconds, double[] StageSeconds, double WaitSeconds, double GatherWaitSeconds, double SenderBusy, double ReceiverBusy, double BoundSeconds, long Steps);

/// <summary>
/// Plays an update on a simulated network: every rank's stages, the gathers of its mesh groups, and every write of every unit to
/// every receiver.
/// </summary>
internal sealed class SimulateUpdate : ISimulationHandler
{
    private const int Stages = 5, HostToDevice = 0, Gather = 1, Fuse = 2, Quantise = 3, Submit = 4;
    private static readonly int[] s_gatherFirst = [HostToDevice, Gather, Fuse, Quantise, Submit];
    private static readonly int[] s_quantiseFirst = [HostToDevice, Quantise, Gather, Fuse, Submit];

    // An argument is a kind, a rank or a mesh group, and a stage or a unit.
    private const int StageDone = 0, GatherDone = 1, Arrived = 2, BarrierDone = 3, GatherPart = 4;

    private readonly SimulateWorkload _workload;
    private readonly SimulatePolicy _policy;
    private readonly SimulationClock _clock = new();
    private readonly SimulatedNetwork _network;
    private readonly SimulatedNic[] _senders;
    private readonly SimulatedNic[] _receivers;
    private readonly Rank[] _ranks;
    private readonly Dictionary<long, List<int>> _gathers = [];
    private readonly Dictionary<long, int> _gatherParts = [];
    private readonly double _straggler;

    /// <summary>The stages in the order in which a unit goes through them.</summary>
    private readonly int[] _order;

    private bool _pastBarrier;
    private int _atBarrier;
    private readonly int _firstExperts;
    private long _left;
    private long _lastGather;
    private long _end;

    public SimulateUpdate(SimulateWorkload workload, SimulatePolicy policy, SimulatedNicOptions nic, int receivers, double straggler)
    {
        (_workload, _policy, _straggler) = (workload, policy, straggler);
        _order = policy.QuantiseFirst ? s_quantiseFirst : s_gatherFirst;
        _network = new SimulatedNetwork(_clock);
        _senders = [.. workload.Sends.Select(_ => _network.AddNic(nic))];
        _receivers = [.. Enumerable.Range(0, receivers).Select(_ => _network.AddNic(nic))];
        _ranks = [.. workload.Sends.Select(sends => new Rank([.. sends.Select(unit => unit.Length)]))];
        _firstExperts = Array.FindIndex(workload.Units, static unit => unit.IsExperts);
        _left = workload.Sends.Sum(sends => sends.Sum(unit => (long)unit.Length));
        _pastBarrier = !policy.Barrier;
    }

    public SimulateResult Run()
    {
        for (int rank = 0; rank < _ranks.Length; rank++)
            Advance(rank);
        while (_clock.Step())
        {
        }

        if (_left != 0)
            throw new InvalidOperationException($"The simulation ended with {_left} writes not arrived.");
        double seconds = Math.Max((double)_end / SimulationClock.PerSecond, ((double)_lastGather / SimulationClock.PerSecond) + SimulateCosts.BarrierSeconds);
        Rank first = _ranks[0];
        return new SimulateResult(
            seconds, first.StageSeconds, seconds - first.BusySeconds, first.GatherWait,
            _senders.Max(nic => nic.SendingTime) / (double)_end, _receivers.Max(nic => nic.ReceivingTime) / (double)_end,
            Math.Max(_senders.Max(nic => nic.BytesSent), _receivers.Max(nic => nic.BytesReceived)) / _senders[0].Options.BytesPerSecond, _clock.Steps);
    }

    /// <inheritdoc/>
    void ISimulationHandler.Handle(long argument)
    {
        (int kind, int rank, int what) = ((int)(argument >> 56), (int)(argument >> 24), (int)(argument & 0xffffff));
        switch (kind)
        {
            case StageDone:
                Finish(rank, what);
                break;
            case GatherDone:
                EndGather(argument & 0xffff_ffffffff);
                break;
            case GatherPart:
                if (--_gatherParts[argument & 0xffff_ffffffff] == 0)
                    EndGather(argument & 0xffff_ffffffff);
                break;
            case Arrived:
                OnArrived(rank, what);
                break;
            default:
                _pastBarrier = true;
                for (int i = 0; i < _ranks.Length; i++)
                    Advance(i);
                break;
        }
    }

    /// <summary>Starts every stage of a rank that can start.</summary>
    private void Advance(int index)
    {
        Rank rank = _ranks[index];
        for (int place = 0; place < Stages; place++)
        {
            int stage = _order[place], unit = rank.Done[stage];
            if (rank.Busy[stage] || unit == _workload.Units.Length)
                continue;
            bool ready = place != 0 ? rank.Done[_order[place - 1]] > unit : (_policy.Overlap || rank.Done[Submit] == unit) && (!_workload.Units[unit].IsExperts || MayBeginExperts(rank));
            if (!ready || (stage == Gather && !Reserve(rank, unit)))
                continue;
            rank.Busy[stage] = true;
            if (stage == Gather && _policy.Gather)
                Meet(index, unit);
            else
                Start(index, stage, unit);
        }
    }

    private bool Reserve(Rank rank, int unit)
    {
        double bytes = _workload.Units[unit].Bytes;
        if (_policy.Gather && rank.Held != 0 && rank.Held + bytes > SimulateCosts.WatermarkBytes)
            return false;
        rank.Held += bytes;
        return true;
    }

    /// <summary>A gather begins when its last member is there.</summary>
    private void Meet(int index, int unit)
    {
        bool experts = _workload.Units[unit].IsExperts;
        (int group, int gpu) = (index / (SimulateCosts.Shards * SimulateCosts.Gpus), index % SimulateCosts.Gpus);
        int mesh = experts ? (group * SimulateCosts.Gpus) + gpu : index / SimulateCosts.Gpus;
        long key = ((long)mesh << 24) | (uint)unit;
        if (!_gathers.TryGetValue(key, out List<int>? members))
            _gathers.Add(key, members = []);
        _ranks[index].ArrivedAt = _clock.Now;
        members.Add(index);
        if (members.Count != (experts ? SimulateCosts.Shards : SimulateCosts.Gpus))
            return;
        foreach (int member in members)
        {
            _ranks[member].GatherWait += (double)(_clock.Now - _ranks[member].ArrivedAt) / SimulationClock.PerSecond;
            _ranks[member].Begin(Gather, _clock.Now);
        }

        if (!experts || !_policy.SharedNic)
        {
            _clock.Schedule(_clock.Now + TimeOf(_workload.Units[unit].Stages.Gather), this, ((long)GatherDone << 56) | key);
            return;
        }

        // Every member sends its part to every other one.
        _gatherParts[key] = members.Count * (members.Count - 1);
        foreach (int from in members)
        {
            foreach (int to in members)
            {
                if (from != to)
                    _network.Send(_senders[from], _senders[to], (long)_workload.Units[unit].GatheredBytes / members.Count, this, ((long)GatherPart << 56) | key);
            }
        }
    }

    private void EndGather(long key)
    {
        List<int> members = _gathers[key];
        _gathers.Remove(key);
        foreach (int member in members)
            Finish(member, Gather);
    }

    private void Start(int index, int stage, int unit)
    {
        double slower = stage == HostToDevice && index == SimulateCosts.StragglerRank ? _straggler : 1;
        _ranks[index].Begin(stage, _clock.Now);
        _clock.Schedule(_clock.Now + TimeOf(_workload.Units[unit].Stages[stage] * slower), this, Argument(StageDone, index, stage));
    }

    private void Finish(int index, int stage)
    {
        Rank rank = _ranks[index];
        int unit = rank.Done[stage]++;
        rank.End(stage, _clock.Now);
        if (stage == Submit)
        {
            foreach ((int receiver, long bytes) in _workload.Sends[index][unit])
                _network.Send(_senders[index], _receivers[receiver], bytes, this, Argument(Arrived, index, unit));
            if (rank.LeftOf[unit] == 0)
                rank.Held -= _workload.Units[unit].Bytes;
        }

        if (stage == Gather)
            ReachBarrier(rank);
        Advance(index);
    }

    private void OnArrived(int index, int unit)
    {
        Rank rank = _ranks[index];
        _left--;
        _end = _clock.Now;
        if (--rank.LeftOf[unit] != 0)
            return;
        rank.Held -= _workload.Units[unit].Bytes;
        Advance(index);
    }

    /// <summary>A rank goes to the barrier behind a group's last gather, while its writes go on; the second one is at the end.</summary>
    private void ReachBarrier(Rank rank)
    {
        if (rank.Done[Gather] == _workload.Units.Length)
            _lastGather = _clock.Now;
        if (_pastBarrier || rank.Done[Gather] != _firstExperts)
            return;
        if (++_atBarrier == _ranks.Length)
            _clock.Schedule(_clock.Now + TimeOf(SimulateCosts.BarrierSeconds), this, Argument(BarrierDone, 0, 0));
    }

    /// <summary>All ranks have gathered the first group, and what this one has written of it has arrived.</summary>
    private bool MayBeginExperts(Rank rank)
    {
        if (!_policy.Barrier)
            return true;
        return _pastBarrier && rank.Done[Submit] >= _firstExperts && Array.TrueForAll(rank.LeftOf[.._firstExperts], static left => left == 0);
    }

    private static long TimeOf(double seconds) => (long)(seconds * SimulationClock.PerSecond);

    private static long Argument(int kind, int rank, int what) => ((long)kind << 56) | ((long)rank << 24) | (uint)what;

    /// <summary>How far a trainer rank is.</summary>
    private sealed class Rank(int[] leftOf)
    {
        private readonly long[] _began = new long[Stages];
        private long _busySince;
        private int _atWork;

        /// <summary>Units that each stage has finished.</summary>
        public int[] Done { get; } = new int[Stages];

        public bool[] Busy { get; } = new bool[Stages];

        /// <summary>Writes of each unit that have not arrived.</summary>
        public int[] LeftOf { get; } = leftOf;

        /// <summary>Gathered bytes that are not yet sent.</summary>
        public double Held { get; set; }

        public double[] StageSeconds { get; } = new double[Stages];

        /// <summary>How long at least one stage was at work.</summary>
        public double BusySeconds { get; private set; }

        public double GatherWait { get; set; }

        public long ArrivedAt { get; set; }

        public void Begin(int stage, long now)
        {
            _began[stage] = now;
            if (_atWork++ == 0)
                _busySince = now;
        }

        public void End(int stage, long now)
        {
            Busy[stage] = false;
            StageSeconds[stage] += (double)(now - _began[stage]) / SimulationClock.PerSecond;
            if (--_atWork == 0)
                BusySeconds += (double)(now - _busySince) / SimulationClock.PerSecond;
        }
    }
}
