using Garden.Weights;

namespace Garden.Perf.Weights;

/// <summary>What a stage takes of a unit, in seconds.</summary>
internal readonly record struct SimulateStages(double HostToDevice, double Gather, double Fuse, double Quantise, double Submit)
{
    public double this[int stage] => stage switch { 0 => HostToDevice, 1 => Gather, 2 => Fuse, 3 => Quantise, _ => Submit };
}

/// <summary>The tensors of one layer in one mesh group: what ranks gather together and send.</summary>
/// <param name="IsExperts">Whether these are a layer's experts.</param>
/// <param name="Wave">The layer.</param>
/// <param name="Bytes">BF16 bytes that a rank has when they are gathered.</param>
/// <param name="GatheredBytes">The same as they are gathered: fewer where they have been converted before.</param>
/// <param name="Stages">What they cost a rank.</param>
internal sealed record SimulateUnit(bool IsExperts, int Wave, double Bytes, double GatheredBytes, SimulateStages Stages);

/// <summary>An update as units in order, and who sends what of them to whom.</summary>
internal sealed class SimulateWorkload
{
    private readonly WeightSchedule _schedule;
    private readonly int _waves;
    private readonly int[] _unitOf;
    private readonly double _nicBytesPerSecond;

    private SimulateWorkload(WeightSchedule schedule, SimulatePolicy policy, double nicBytesPerSecond)
    {
        (_schedule, _nicBytesPerSecond) = (schedule, nicBytesPerSecond);
        _waves = schedule.Sides.Parts.Where(part => !part.IsScales).Max(part => part.Outers);
        _unitOf = new int[2 * _waves];
        Units = MakeUnits(policy);
        Sends = new (int Receiver, long Bytes)[schedule.Trainer.Ranks][][];
        for (int rank = 0; rank < Sends.Length; rank++)
            Sends[rank] = new (int, long)[Units.Length][];
        var lists = new List<(int, long)>[schedule.Trainer.Ranks, Units.Length];
        if (policy.Balance)
            AddPlanned(lists, policy.Order);
        else
            AddInTurn(lists);
        for (int rank = 0; rank < Sends.Length; rank++)
        {
            for (int unit = 0; unit < Units.Length; unit++)
                Sends[rank][unit] = lists[rank, unit] is { } list ? [.. list] : [];
        }
    }

    /// <summary>The units in the order in which every rank takes them.</summary>
    public SimulateUnit[] Units { get; }

    /// <summary>For every rank and unit the sends, in order.</summary>
    public (int Receiver, long Bytes)[][][] Sends { get; }

    /// <summary>Seconds that a rank's gathers would take by bytes and link rates alone; beside the published ones.</summary>
    public double GatherSecondsByRates { get; private set; }

    public static SimulateWorkload Of(WeightSchedule schedule, SimulatePolicy policy, double nicBytesPerSecond) => new(schedule, policy, nicBytesPerSecond);

    private SimulateUnit[] MakeUnits(SimulatePolicy policy)
    {
        // The published costs belong to the published size and NIC; a rank that has less to do takes less.
        Amounts own = AmountsOf(_schedule.Trainer[0], _nicBytesPerSecond);
        Amounts published = AmountsOf(SimulateCosts.Groups, SimulateCosts.Nic.BytesPerSecond);
        GatherSecondsByRates = published.Gather.Sum();
        int[] keys = [.. Enumerable.Range(0, own.Bytes.Length).Where(unit => own.Bytes[unit] != 0)];
        var units = new SimulateUnit[keys.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            int unit = keys[i];
            bool experts = unit >= _waves;
            // Without gathering a rank fuses and converts what it sends only: its part of what its mesh group, or all ranks, hold once.
            double share = policy.Gather ? 1 : experts ? 1.0 / SimulateCosts.Shards : 1.0 / _schedule.Trainer.Ranks;
            // Converting first, a rank converts its shard, and what is converted is gathered in half the bytes (and a scale for 16384 elements).
            double quantised = policy.QuantiseFirst ? experts ? 1.0 / SimulateCosts.Shards : 1.0 / SimulateCosts.Gpus : share;
            double gathered = own.Bytes[unit] - (policy.QuantiseFirst ? own.Converted[unit] * (0.5 - (2.0 / (Float8Blocks.Size * Float8Blocks.Size))) : 0);
            _unitOf[unit] = i;
            units[i] = new SimulateUnit(experts, unit % _waves, own.Bytes[unit], gathered, new SimulateStages(
                SimulateCosts.HostToDeviceSeconds * own.Local[unit] / published.Local.Sum(),
                policy.Gather ? SimulateCosts.GatherSeconds * own.Gather[unit] / published.Gather.Sum() * gathered / own.Bytes[unit] : 0,
                SimulateCosts.FuseSeconds * share * own.Fused[unit] / published.Fused.Sum(),
                SimulateCosts.QuantiseSeconds * quantised * own.Converted[unit] / published.Converted.Sum(),
                SimulateCosts.SubmitSeconds * own.Bytes[unit] / published.Bytes.Sum()));
        }

        return units;
    }

    /// <summary>What every unit is to a rank of a trainer of so many groups of nodes.</summary>
    private Amounts AmountsOf(int groups, double nicBytesPerSecond)
    {
        var amounts = new Amounts(2 * _waves);
        foreach (WeightPart part in _schedule.Sides.Parts)
        {
            if (part.IsScales)
                continue;
            bool experts = part.Experts > 1;
            double tensor = (double)part.Rows * part.Columns * part.Depth * part.TrainerBytes * (experts ? (double)part.Experts / (groups * SimulateCosts.Gpus) : 1);
            for (int outer = 0; outer < part.Outers; outer++)
            {
                int unit = UnitKey(experts, WaveOf(outer, part.Outers));
                amounts.Bytes[unit] += tensor;
                amounts.Converted[unit] += part.IsConverted ? tensor : 0;
                amounts.Fused[unit] += part.OutputParts > 1 ? tensor : 0;
            }
        }

        for (int unit = 0; unit < amounts.Bytes.Length; unit++)
        {
            bool experts = unit >= _waves;
            amounts.Local[unit] = amounts.Bytes[unit] / (experts ? SimulateCosts.Shards : SimulateCosts.Gpus);
            amounts.Gather[unit] = (amounts.Bytes[unit] - amounts.Local[unit]) / (experts ? nicBytesPerSecond : SimulateCosts.NvLinkBytesPerSecond);
        }

        return amounts;
    }

    /// <summary>The planner's choice: each item on its sender.</summary>
    private void AddPlanned(List<(int, long)>[,] lists, bool ordered)
    {
        for (int rank = 0; rank < _schedule.Trainer.Ranks; rank++)
        {
            int[] items = [.. _schedule.ItemsOf(rank)];
            if (!ordered)
                Array.Sort(items);
            foreach (int number in items)
            {
                WeightItem item = WeightItem.Find(_schedule.Cells, number);
                WeightCell cell = _schedule.Cells[item.Cell];
                bool experts = _schedule.Sides.Parts[cell.Part].Experts > 1;
                // What goes together for all layers waits for the last one.
                int outer = cell.OutersPerItem == 1 ? item.Turn : cell.Outers - 1;
                ref List<(int, long)> list = ref lists[rank, _unitOf[UnitKey(experts, WaveOf(outer, cell.Outers))]];
                list ??= [];
                WeightTarget[] receivers = cell.Receivers[item.Group];
                int start = ordered ? cell.FirstReceiver(item.Group, rank, _schedule.Trainer.Ranks) : 0;
                for (int i = 0; i < receivers.Length; i++)
                {
                    ref readonly WeightTarget target = ref receivers[(start + i) % receivers.Length];
                    list.Add((target.Rank, cell.BytesOf(item.Group, in target)));
                }
            }
        }
    }

    /// <summary>Parameter by parameter and receiver by receiver, the ranks that have gathered it take turns.</summary>
    private void AddInTurn(List<(int, long)>[,] lists)
    {
        WeightPart[] parts = _schedule.Sides.Parts;
        int turn = 0;
        int[] expertTurns = new int[_schedule.Trainer.Ranks];
        for (int index = 0; index < parts.Length; index++)
        {
            WeightCell[] cells = [.. _schedule.Cells.Where(cell => cell.Part == index)];
            if (cells.Length == 0)
                continue;
            long[,] bytes = BytesOf(cells, parts[index].Experts);
            int[][] holders = [.. Enumerable.Range(0, parts[index].Experts).Select(expert => cells.First(cell => expert >= cell.ExpertBounds[0] && expert < cell.ExpertBounds[^1]).Candidates)];
            for (int outer = 0; outer < parts[index].Outers; outer++)
            {
                int unit = _unitOf[UnitKey(parts[index].Experts > 1, WaveOf(outer, parts[index].Outers))];
                for (int expert = 0; expert < parts[index].Experts; expert++)
                {
                    int[] ranks = holders[expert];
                    for (int receiver = 0; receiver < _schedule.Inference.Ranks; receiver++)
                    {
                        if (bytes[expert, receiver] == 0)
                            continue;
                        int sender = parts[index].Experts > 1 ? ranks[expertTurns[ranks[0]]++ % ranks.Length] : turn++ % _schedule.Trainer.Ranks;
                        (lists[sender, unit] ??= []).Add((receiver, bytes[expert, receiver]));
                    }
                }
            }
        }
    }

    /// <summary>What each receiver needs of each expert's tensor.</summary>
    private long[,] BytesOf(WeightCell[] cells, int experts)
    {
        long[,] bytes = new long[experts, _schedule.Inference.Ranks];
        foreach (WeightCell cell in cells)
        {
            foreach (ref readonly WeightTarget target in cell.Targets.AsSpan())
            {
                for (int expert = target.FirstExpert; expert < target.EndExpert; expert++)
                    bytes[expert, target.Rank] += target.BytesPerTensor;
            }
        }

        return bytes;
    }

    private int UnitKey(bool experts, int wave) => (experts ? _waves : 0) + wave;

    /// <summary>As the planner spreads rows of fewer layers.</summary>
    private int WaveOf(int outer, int outers) => (int)(((2L * outer) + 1) * _waves / (2L * outers));

    /// <summary>Per unit and rank: BF16 bytes gathered, of these converted and fused, bytes held before, and seconds of gathering by link rates.</summary>
    private sealed class Amounts(int units)
    {
        public double[] Bytes { get; } = new double[units];

        public double[] Converted { get; } = new double[units];

        public double[] Fused { get; } = new double[units];

        public double[] Local { get; } = new double[units];

        public double[] Gather { get; } = new double[units];
    }
}
