namespace Garden;

/// <summary>What a completed transfer did.</summary>
/// <param name="Bytes">Payload bytes moved.</param>
/// <param name="Writes">Writes posted to NICs, after coalescing and splitting.</param>
/// <param name="LanesUsed">A bit per lane that carried a write.</param>
public readonly record struct TransferResult(long Bytes, long Writes, byte LanesUsed);
