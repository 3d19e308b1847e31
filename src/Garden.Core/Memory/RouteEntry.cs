namespace Garden;

/// <summary>How one NIC's peers reach a region: part of a <see cref="MemoryRegionDescriptor"/>.</summary>
/// <param name="Fabric">The fabric's name.</param>
/// <param name="Nic">Index of the owner's NIC.</param>
/// <param name="Base">Address of the first byte in the peer's terms.</param>
/// <param name="Key">The remote key.</param>
public sealed record RouteEntry(string Fabric, int Nic, ulong Base, ulong Key);
