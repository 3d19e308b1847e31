using System.Net;

namespace Garden.Interop.Libfabric;

/// <summary>How a device uses tcp: one NIC an address.</summary>
public sealed record TcpOptions : LibfabricTuning
{
    /// <summary>
    /// The local addresses to bind to, one a NIC, 1 … 8; port 0 takes a free one. There is no default: left alone, the provider
    /// chooses an interface by itself, and it is rarely the one that is meant.
    /// </summary>
    public required IReadOnlyList<IPEndPoint> Bind { get; init; }

    /// <summary>Options that bind to addresses like <c>10.0.0.1</c>, <c>10.0.0.1:4711</c> or <c>[2001:db8::1]:4711</c>.</summary>
    /// <exception cref="FabricException">A text is not an address.</exception>
    public static TcpOptions At(params ReadOnlySpan<string> addresses)
    {
        var bind = new IPEndPoint[addresses.Length];
        for (int i = 0; i < bind.Length; i++)
        {
            if (!IPEndPoint.TryParse(addresses[i], out IPEndPoint? point))
                throw new FabricException($"TcpOptions.Bind takes addresses like \"10.0.0.1\" or \"10.0.0.1:4711\"; got \"{addresses[i]}\".");
            bind[i] = point;
        }

        return new TcpOptions { Bind = bind };
    }

    internal new void Validate()
    {
        base.Validate();
        if (Bind is null || Bind.Count is 0 or > NetAddress.MaxNics)
            throw new FabricException($"TcpOptions.Bind names 1 to {NetAddress.MaxNics} local addresses, one a NIC; got {Bind?.Count ?? 0}.");
        foreach (IPEndPoint point in Bind)
        {
            // Peers are told this very address. A link-local one means nothing without its interface, which addresses here do not carry.
            if (point.Address.Equals(IPAddress.Any) || point.Address.Equals(IPAddress.IPv6Any) || point.Address.IsIPv6LinkLocal)
                throw new FabricException($"TcpOptions.Bind takes addresses that peers can reach; {point.Address} is {(point.Address.IsIPv6LinkLocal ? "link-local" : "every address")}. Name one of the host's.");
        }
    }
}
