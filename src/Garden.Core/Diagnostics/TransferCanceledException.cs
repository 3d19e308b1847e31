namespace Garden;

/// <summary>A transfer was cancelled: posting stopped and what was posted has drained to the level the fabric declares.</summary>
public sealed class TransferCanceledException : OperationCanceledException
{
    /// <summary>A cancellation, with what had been done by then.</summary>
    public TransferCanceledException(TransferResult partial)
        : base($"The transfer was cancelled after {partial.Writes} writes ({partial.Bytes} bytes); what was posted has drained.") => Partial = partial;

    /// <summary>What was posted before posting stopped. A receiver's proof that nothing more lands is a fence on each of its <see cref="TransferResult.LanesUsed"/>.</summary>
    public TransferResult Partial { get; }
}
