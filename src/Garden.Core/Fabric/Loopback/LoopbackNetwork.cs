namespace Garden.Fabric.Loopback;

/// <summary>
/// A wire inside the process that any number of engines share, with faults to test a system against: failing NICs, silent
/// devices, partitions and frozen deliveries. All members may be called from any thread.
/// </summary>
public sealed partial class LoopbackNetwork
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LoopbackPort> _byAddress = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Source, string Destination), LoopbackLink> _links = [];
    private readonly List<(string First, string Second)> _partitions = [];
    private LoopbackPort[] _ports = [];
    private int _nextId;

    /// <summary>A network that is shared by everything in the process that does not bring its own.</summary>
    public static LoopbackNetwork Shared { get; } = new();

    internal RegionRegistry Regions { get; } = new();

    /// <summary>Addresses of the NICs that are attached now.</summary>
    public IReadOnlyList<string> Addresses => Array.ConvertAll(Volatile.Read(ref _ports), port => port.Address);

    internal LoopbackPort[] Attach(string device, LoopbackOptions options, IWorkerSignal signal)
    {
        lock (_lock)
        {
            for (int i = 0; i < options.Nics; i++)
            {
                if (_byAddress.ContainsKey($"{device}/{i}"))
                    throw new FabricException($"\"{device}/{i}\" is attached to this loopback network already; give each engine its own LoopbackOptions.Name, or dispose the other one first.");
            }

            var ports = new LoopbackPort[options.Nics];
            for (int i = 0; i < ports.Length; i++)
            {
                ports[i] = new LoopbackPort(_nextId++, $"{device}/{i}", options, signal);
                _byAddress.Add(ports[i].Address, ports[i]);
            }

            Volatile.Write(ref _ports, [.. _ports, .. ports]);
            return ports;
        }
    }

    /// <summary>Takes a NIC off the network. When it returns, no sender touches its memory or its queues' bytes any more.</summary>
    internal void Detach(LoopbackPort port)
    {
        List<ulong> keys;
        lock (_lock)
        {
            if (port.State == LoopbackPortState.Closed)
                return;
            port.State = LoopbackPortState.Closed;
            _byAddress.Remove(port.Address);
            Volatile.Write(ref _ports, Array.FindAll(_ports, other => other != port));
            foreach ((string Source, string Destination) key in _links.Keys.ToArray())
            {
                if (key.Source == port.Address || key.Destination == port.Address)
                    _links.Remove(key);
            }

            foreach (LoopbackPort other in _ports)
                other.RemoveIncoming(port);
            keys = Regions.RevokeAll(port.Id);
        }

        WaitForDeliveries();
        keys.ForEach(Regions.Recycle);
        WakeAll();
    }

    /// <summary>Takes a region away from all senders. When it returns, none reads or writes it any more.</summary>
    internal void Revoke(LoopbackPort owner, ulong localKey)
    {
        if (!Regions.TryRevoke(owner.Id, localKey))
            return;
        WaitForDeliveries();
        Regions.Recycle(localKey);
    }

    /// <summary>The wire to an address.</summary>
    internal LoopbackLink OpenLink(LoopbackPort sender, string remote, int route)
    {
        lock (_lock)
        {
            if (_byAddress.TryGetValue(remote, out LoopbackPort? peer))
                LinkOf(peer, sender.Address).ReceiverRoute = route;

            return LinkOf(sender, remote);
        }
    }

    /// <summary>The NIC at an address, null when none is attached, and the wire to it. Tells the NIC whom to wake.</summary>
    internal LoopbackPort? Resolve(LoopbackPort sender, string remote, int route, ref LoopbackLink link)
    {
        lock (_lock)
        {
            if (!_byAddress.TryGetValue(remote, out LoopbackPort? target))
                return null;
            // Not always the wire the route was opened with: a peer that came and went in between took that one along.
            link = LinkOf(sender, remote);
            target.AddIncoming(link);
            LoopbackLink back = LinkOf(target, sender.Address);
            if (back.ReceiverRoute < 0)
                back.ReceiverRoute = route;
            return target;
        }
    }

    internal void CloseLink(LoopbackPort owner, string remote, int route)
    {
        lock (_lock)
        {
            if (_links.TryGetValue((remote, owner.Address), out LoopbackLink? back) && back.ReceiverRoute == route)
                back.ReceiverRoute = -1;
        }
    }

    /// <summary>Ends every route a sender has to a receiver: what went over them cannot land any more.</summary>
    internal void Fence(LoopbackPort receiver, LoopbackPort peer)
    {
        lock (_lock)
        {
            // A NIC that was detached sends nothing any more, and one attached later at its address is another peer.
            if (!_byAddress.TryGetValue(peer.Address, out LoopbackPort? attached) || attached != peer)
                return;
            LinkOf(peer, receiver.Address).Fence();
        }

        peer.Section.WaitForExit();
        peer.Signal.Wake();
    }

    private static bool Matches(string pattern, string address) =>
        address.StartsWith(pattern, StringComparison.Ordinal) && (address.Length == pattern.Length || address[pattern.Length] == '/');

    private LoopbackLink LinkOf(LoopbackPort sender, string destination)
    {
        (string, string) key = (sender.Address, destination);
        if (!_links.TryGetValue(key, out LoopbackLink? link))
        {
            link = new LoopbackLink(sender.Address, destination, sender) { IsPartitioned = IsPartitioned(sender.Address, destination) };
            _links.Add(key, link);
        }

        return link;
    }

    /// <summary>Waits for the deliveries that may have read state from before a change; later ones see it.</summary>
    private void WaitForDeliveries()
    {
        foreach (LoopbackPort port in Volatile.Read(ref _ports))
            port.Section.WaitForExit();
    }

    private void WakeAll()
    {
        foreach (LoopbackPort port in Volatile.Read(ref _ports))
            port.Signal.Wake();
    }
}
