namespace Garden.Interop.Libfabric;

/// <summary>How a device uses shared memory: peers are processes of this host, in one PID namespace and of one user.</summary>
public sealed record ShmOptions : LibfabricTuning
{
    /// <summary>Endpoints of the device, 1 … 8. More than one only tests what several NICs do: there is one memory.</summary>
    public int Nics { get; init; } = 1;

    internal new void Validate()
    {
        base.Validate();
        Require(nameof(Nics), Nics, 1, NetAddress.MaxNics);
    }
}
