namespace Garden.Interop.Topology;

/// <summary>Gives every GPU its NICs.</summary>
internal sealed class NicAssignment
{
    private readonly Dictionary<GpuDevice, IReadOnlyList<NicDevice>> _nics = [];

    public NicAssignment(IReadOnlyList<GpuDevice> gpus, IReadOnlyList<NicDevice> nics)
    {
        NicDevice[] suitable = [.. nics.Where(static nic => nic.Unsuitable is null)];
        if (suitable.Length == 0 || gpus.Count == 0)
        {
            foreach (GpuDevice gpu in gpus)
                _nics[gpu] = [];
            return;
        }

        Dictionary<NicDevice, Rank> nearest = suitable.ToDictionary(static nic => nic, nic => gpus.Min(gpu => RankOf(gpu, nic)));
        var sharing = new List<(NicDevice[] Nics, List<GpuDevice> Gpus)>();
        foreach (GpuDevice gpu in gpus)
        {
            NicDevice[] own = NearestOf(gpu, suitable, nearest);
            if (sharing.Find(group => group.Nics.AsSpan().SequenceEqual(own)) is { Gpus: { } others })
                others.Add(gpu);
            else
                sharing.Add((own, [gpu]));
        }

        foreach ((NicDevice[] shared, List<GpuDevice> group) in sharing)
        {
            for (int i = 0; i < group.Count; i++)
                _nics[group[i]] = Share(shared, i, group.Count);
        }
    }

    public static Rank RankOf(GpuDevice gpu, NicDevice nic)
    {
        int shared = nic.Location?.SharedBridges(gpu.Location) ?? 0;
        Proximity proximity = shared != 0 ? Proximity.Switch
            // Guests may have one root for the devices of all nodes.
            : nic.Location?.Root == gpu.Location.Root && (nic.Node == gpu.Node || nic.Node == -1 || gpu.Node == -1) ? Proximity.HostBridge
            : nic.Node == -1 || gpu.Node == -1 ? Proximity.Unknown
            : nic.Node == gpu.Node ? Proximity.Node
            : Proximity.Distant;
        return new Rank(proximity, shared);
    }

    public IReadOnlyList<NicDevice> Of(GpuDevice gpu) =>
        _nics.TryGetValue(gpu, out IReadOnlyList<NicDevice>? nics) ? nics : throw new ArgumentException($"{gpu} is not of this topology: each snapshot has its own devices. Find it by its address.", nameof(gpu));

    private static NicDevice[] NearestOf(GpuDevice gpu, NicDevice[] suitable, Dictionary<NicDevice, Rank> nearest)
    {
        Rank best = suitable.Min(nic => RankOf(gpu, nic));
        NicDevice[] candidates = [.. suitable.Where(nic => RankOf(gpu, nic) == best)];
        NicDevice[] own = [.. candidates.Where(nic => nearest[nic] == best)];
        return own.Length != 0 ? own : candidates;
    }

    /// <summary>Neighbours in equal parts; one NIC for several GPUs where there are fewer NICs.</summary>
    private static NicDevice[] Share(NicDevice[] nics, int index, int count)
    {
        int first = index * nics.Length / count, end = (index + 1) * nics.Length / count;
        return nics[first..Math.Max(end, first + 1)];
    }

    /// <summary>Smaller is nearer; behind the same switch the one with the longer common way.</summary>
    internal readonly record struct Rank(Proximity Proximity, int SharedBridges) : IComparable<Rank>
    {
        public int CompareTo(Rank other) => (Proximity, -SharedBridges).CompareTo((other.Proximity, -other.SharedBridges));
    }
}
