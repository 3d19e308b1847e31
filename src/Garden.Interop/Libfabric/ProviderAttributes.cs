using System.Runtime.InteropServices;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>What a provider's fi_info says, as far as a decision here depends on it. Plain data, so that decisions are tested on recorded ones.</summary>
internal sealed record ProviderAttributes
{
    public required string Provider { get; init; }

    public required string Domain { get; init; }

    public ulong Capabilities { get; init; }

    public ulong Mode { get; init; }

    public int MrMode { get; init; }

    public ulong MessageOrder { get; init; }

    public long InjectSize { get; init; }

    public long MaxMessageSize { get; init; }

    public int TransmitSize { get; init; }

    public int ReceiveSize { get; init; }

    public int KeyBytes { get; init; }

    public int ImmediateBytes { get; init; }

    public uint AddressFormat { get; init; }

    public double LinkGigabitsPerSecond { get; init; }

    public static unsafe ProviderAttributes Read(fi_info* info) => new()
    {
        Provider = Text(info->fabric_attr->prov_name),
        Domain = Text(info->domain_attr->name),
        Capabilities = info->caps,
        Mode = info->mode | info->tx_attr->mode | info->rx_attr->mode | info->domain_attr->mode,
        MrMode = info->domain_attr->mr_mode,
        MessageOrder = info->tx_attr->msg_order,
        InjectSize = Clamp(info->tx_attr->inject_size),
        MaxMessageSize = Clamp(info->ep_attr->max_msg_size),
        TransmitSize = (int)Math.Min(Clamp(info->tx_attr->size), int.MaxValue),
        ReceiveSize = (int)Math.Min(Clamp(info->rx_attr->size), int.MaxValue),
        KeyBytes = (int)info->domain_attr->mr_key_size,
        ImmediateBytes = (int)info->domain_attr->cq_data_size,
        AddressFormat = info->addr_format,
        LinkGigabitsPerSecond = info->nic is null || info->nic->link_attr is null ? 0 : info->nic->link_attr->speed / 1e9,
    };

    /// <summary>A zero-terminated text of the library.</summary>
    public static unsafe string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    private static long Clamp(nuint value) => (long)Math.Min((ulong)value, long.MaxValue);
}
