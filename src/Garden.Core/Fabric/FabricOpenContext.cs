namespace Garden.Fabric;

/// <summary>What a fabric is given when a device of an engine opens its NICs.</summary>
/// <param name="EngineId">Random id of the engine.</param>
/// <param name="Device">Index of the device within the engine.</param>
/// <param name="Signal">Wakes the device's worker when something arrives while it is parked.</param>
public sealed record FabricOpenContext(ulong EngineId, int Device, IWorkerSignal Signal);
