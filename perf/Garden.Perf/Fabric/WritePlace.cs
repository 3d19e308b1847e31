namespace Garden.Perf.Fabric;

/// <summary>Which of a workload's places a write has: the slot of a single one, or the page of an operation.</summary>
internal record struct WritePlace(int Slot, int Page);
