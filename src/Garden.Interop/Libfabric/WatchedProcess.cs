namespace Garden.Interop.Libfabric;

/// <summary>A process of this host: an id is given out again, but not with the same start.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">When it began, in ticks since the system did.</param>
internal readonly record struct WatchedProcess(int Id, ulong Start);
