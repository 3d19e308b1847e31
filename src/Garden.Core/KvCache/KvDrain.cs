namespace Garden.KvCache;

/// <summary>How the writes of a job ended.</summary>
/// <param name="Complete">True when nothing of the job is on its way any more, as far as the fabric's completions say.</param>
/// <param name="Lanes">A bit per lane that carried a write; all bits when that is not known.</param>
/// <param name="Failure">The first failure, null when every write succeeded.</param>
internal readonly record struct KvDrain(bool Complete, byte Lanes, Exception? Failure);
