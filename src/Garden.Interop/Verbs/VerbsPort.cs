using System.Net;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>A port of an open device: what it is, and the identifier and partition its connections use.</summary>
internal sealed record VerbsPort
{
    /// <summary>More than any device has: room for the table is made up to here.</summary>
    private const int MostIdentifiers = 1 << 16;

    private const ushort FullMembership = 0x8000;

    public required string Device { get; init; }

    public required byte Number { get; init; }

    public required bool IsEthernet { get; init; }

    public required bool IsActive { get; init; }

    /// <summary>The identifier connections use.</summary>
    public required IPAddress Gid { get; init; }

    public required byte GidIndex { get; init; }

    public required ushort PartitionIndex { get; init; }

    /// <summary>The local identifier on InfiniBand, 0 on Ethernet.</summary>
    public required ushort Lid { get; init; }

    /// <summary>The longest packet payload in bytes.</summary>
    public required int Mtu { get; init; }

    public required long MaxMessageLength { get; init; }

    public required double GigabitsPerSecond { get; init; }

    public override string ToString() => $"{Device} port {Number}";

    /// <summary>Reads a port and chooses what the options leave open.</summary>
    /// <exception cref="FabricException">It has no identifier or partition that fits; the message lists those it has.</exception>
    public static unsafe VerbsPort Read(ibv_context* context, string device, byte number, int gidIndex, VerbsOptions options)
    {
        var name = $"{device} port {number}";
        ibv_port_attr attributes = Query(context, number, name);
        bool isEthernet = attributes.link_layer == IBV.IBV_LINK_LAYER_ETHERNET;
        ibv_gid_entry gid = ChooseGid(context, number, gidIndex, isEthernet, options.PreferIPv6, name);
        int mtu = 128 << attributes.active_mtu;
        return new VerbsPort
        {
            Device = device,
            Number = number,
            IsEthernet = isEthernet,
            IsActive = attributes.state == IBV.IBV_PORT_ACTIVE,
            Gid = ToAddress(in gid),
            GidIndex = (byte)gid.gid_index,
            PartitionIndex = ChoosePartition(context, number, attributes.pkey_tbl_len, options.PartitionKey, name),
            Lid = attributes.lid,
            Mtu = options.Mtu == 0 ? mtu : Math.Min(mtu, options.Mtu),
            MaxMessageLength = attributes.max_msg_sz,
            GigabitsPerSecond = Lanes(attributes.active_width) * GigabitsPerLane(attributes.active_speed),
        };
    }

    /// <summary>A port as it is now.</summary>
    public static unsafe ibv_port_attr Query(ibv_context* context, byte number, string name)
    {
        // Zeroed: older libraries fill less of it.
        ibv_port_attr attributes = default;
        VerbsErrors.Check(Imports.ibv_query_port(context, number, &attributes), "ibv_query_port", name);
        return attributes;
    }

    /// <summary>How an identifier ranks, less is better; −1 when it cannot be used without being asked for.</summary>
    internal static int RankOf(uint type, IPAddress address, bool isEthernet, bool preferIPv6)
    {
        if (!isEthernet)
            return type == IBV.IBV_GID_TYPE_IB ? 0 : -1;
        if (type != IBV.IBV_GID_TYPE_ROCE_V2)
            return -1;
        if (address.IsIPv4MappedToIPv6)
            return preferIPv6 ? 1 : 0;
        // An address of one link reaches no other network: last.
        return address.IsIPv6LinkLocal ? 2 : preferIPv6 ? 0 : 1;
    }

    private static unsafe ibv_gid_entry ChooseGid(ibv_context* context, byte port, int wanted, bool isEthernet, bool preferIPv6, string name)
    {
        ibv_gid_entry[] table = [];
        nint count = -LibC.EINVAL;
        // The rows of all ports, and "invalid" where they are more than there is room for: VLANs and containers have some each.
        for (int room = 256; count == -LibC.EINVAL && room <= MostIdentifiers; room *= 4)
        {
            table = new ibv_gid_entry[room];
            fixed (ibv_gid_entry* entries = table)
                count = Imports._ibv_query_gid_table(context, entries, (nuint)room, 0, (nuint)sizeof(ibv_gid_entry));
        }

        if (count < 0)
            VerbsErrors.Check((int)-count, "ibv_query_gid_table", name);
        ibv_gid_entry[] ofPort = [.. table.Take((int)count).Where(entry => entry.port_num == port)];
        int best = int.MaxValue;
        ibv_gid_entry chosen = default;
        foreach (ibv_gid_entry entry in ofPort)
        {
            int rank = wanted < 0 ? RankOf(entry.gid_type, ToAddress(in entry), isEthernet, preferIPv6) : entry.gid_index == wanted ? 0 : -1;
            if (rank < 0 || rank >= best)
                continue;
            best = rank;
            chosen = entry;
        }

        if (best != int.MaxValue)
            return chosen;
        string what = wanted < 0 ? isEthernet ? "a RoCE v2 identifier" : "an InfiniBand identifier" : $"the identifier at index {wanted}";
        string there = string.Join(", ", ofPort.Select(entry => $"{entry.gid_index}: {ToAddress(in entry)} ({TypeName(entry.gid_type)})"));
        throw new FabricException($"{name} does not have {what}; it has {(there.Length == 0 ? "none" : there)}. An address on its network interface gives one (`ip addr`).");
    }

    private static unsafe ushort ChoosePartition(ibv_context* context, byte port, int rows, ushort? wanted, string name)
    {
        var there = new List<string>();
        for (int i = 0; i < rows; i++)
        {
            ushort raw;
            VerbsErrors.Check(Imports.ibv_query_pkey(context, port, i, &raw), "ibv_query_pkey", name);
            var key = (ushort)IPAddress.NetworkToHostOrder((short)raw);
            if (wanted is { } one ? key == one : key >= FullMembership)
                return (ushort)i;
            if (key != 0)
                there.Add($"0x{key:x4}");
        }

        throw new FabricException($"{name} is no {(wanted is { } key2 ? $"member of partition 0x{key2:x4}" : "full member of any partition")}; its table has {(there.Count == 0 ? "none" : string.Join(", ", there))}.");
    }

    private static unsafe IPAddress ToAddress(in ibv_gid_entry entry)
    {
        // Safe: an identifier has 16 bytes.
        fixed (byte* raw = entry.gid.raw)
            return new IPAddress(new ReadOnlySpan<byte>(raw, 16));
    }

    private static string TypeName(uint type) => type switch
    {
        IBV.IBV_GID_TYPE_IB => "InfiniBand",
        IBV.IBV_GID_TYPE_ROCE_V1 => "RoCE v1",
        IBV.IBV_GID_TYPE_ROCE_V2 => "RoCE v2",
        _ => $"type {type}",
    };

    /// <summary>Codes of InfiniBand's PortInfo: LinkWidthActive.</summary>
    private static int Lanes(byte width) => width switch { 1 => 1, 2 => 4, 4 => 8, 8 => 12, 16 => 2, _ => 0 };

    /// <summary>Codes of InfiniBand's PortInfo: LinkSpeedActive and its extensions, data rates.</summary>
    private static double GigabitsPerLane(byte speed) => speed switch { 1 => 2.5, 2 => 5, 4 => 10, 8 => 10, 16 => 14, 32 => 25, 64 => 50, 128 => 100, _ => 0 };
}
