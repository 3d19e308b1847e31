namespace Garden.Fabric.Loopback;

public sealed partial class LoopbackNetwork
{
    /// <summary>
    /// Fails one NIC: what is posted on it is reported as <see cref="FabricStatus.NicDown"/>, its owner is told with
    /// <see cref="FabricCompletionKind.DomainFailed"/>, and others' operations to it end as <see cref="FabricStatus.RouteDown"/>.
    /// </summary>
    /// <param name="address">A NIC's address, <c>name/0</c>.</param>
    /// <exception cref="ArgumentException">No such NIC is attached.</exception>
    public void FailNic(string address) => Down(address, LoopbackPortState.Failed);

    /// <summary>
    /// Makes a device fall silent, as when its process is killed: nothing it sends arrives and nothing reaches it. Nobody is
    /// told; others' operations to it, and its own, end as <see cref="FabricStatus.RouteDown"/>.
    /// </summary>
    /// <param name="name">The engine's or device's name, or a NIC's address.</param>
    /// <exception cref="ArgumentException">No such device is attached.</exception>
    public void KillDevice(string name) => Down(name, LoopbackPortState.Killed);

    /// <summary>Makes all NICs of a device fall silent, as when its process is killed.</summary>
    /// <exception cref="ArgumentException">One of them is not attached.</exception>
    public void KillDevice(NetAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        foreach (string nic in address.Nics)
            Down(nic, LoopbackPortState.Killed);
    }

    /// <summary>Cuts the wires between two names (of engines, devices or NICs) in both directions; operations over them end as <see cref="FabricStatus.RouteDown"/>.</summary>
    public void Partition(string first, string second)
    {
        ArgumentException.ThrowIfNullOrEmpty(first);
        ArgumentException.ThrowIfNullOrEmpty(second);
        Repartition(() => _partitions.Add((first, second)));
    }

    /// <summary>Mends what <see cref="Partition"/> cut between the same two names.</summary>
    /// <exception cref="ArgumentException">Nothing is cut between them.</exception>
    public void Heal(string first, string second)
    {
        ArgumentException.ThrowIfNullOrEmpty(first);
        ArgumentException.ThrowIfNullOrEmpty(second);
        Repartition(() =>
        {
            if (_partitions.RemoveAll(cut => cut == (first, second) || cut == (second, first)) == 0)
                throw new ArgumentException($"Nothing is partitioned between \"{first}\" and \"{second}\"; heal with the names given to Partition.", nameof(first));
        });
    }

    /// <summary>Freezes deliveries to a device or NIC: what is posted to it stays in flight. When it returns, none is being delivered.</summary>
    /// <param name="name">The engine's or device's name, or a NIC's address.</param>
    /// <exception cref="ArgumentException">No such device is attached.</exception>
    public void HoldDeliveries(string name)
    {
        lock (_lock)
        {
            foreach (LoopbackPort port in Find(name))
                port.IsHeld = true;
        }

        WaitForDeliveries();
    }

    /// <summary>Lets deliveries go on that <see cref="HoldDeliveries"/> froze.</summary>
    /// <exception cref="ArgumentException">No such device is attached.</exception>
    public void ReleaseDeliveries(string name)
    {
        lock (_lock)
        {
            foreach (LoopbackPort port in Find(name))
                port.IsHeld = false;
        }

        WakeAll();
    }

    private void Down(string name, LoopbackPortState state)
    {
        lock (_lock)
        {
            foreach (LoopbackPort port in Find(name))
                port.State = state;
        }

        WaitForDeliveries();
        WakeAll();
    }

    private void Repartition(Action change)
    {
        lock (_lock)
        {
            change();
            foreach (LoopbackLink link in _links.Values)
                link.IsPartitioned = IsPartitioned(link.Source, link.Destination);
        }

        WaitForDeliveries();
        WakeAll();
    }

    private bool IsPartitioned(string source, string destination) => _partitions.Exists(cut =>
        (Matches(cut.First, source) && Matches(cut.Second, destination)) || (Matches(cut.Second, source) && Matches(cut.First, destination)));

    private LoopbackPort[] Find(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        LoopbackPort[] found = Array.FindAll(_ports, port => Matches(name, port.Address));
        return found.Length != 0
            ? found
            : throw new ArgumentException($"No NIC of \"{name}\" is attached to this loopback network; there are: {string.Join(", ", Addresses)}.", nameof(name));
    }
}
