namespace Garden;

/// <summary>How one transfer is run.</summary>
public readonly record struct SubmitOptions
{
    /// <summary>Which lanes its writes may take.</summary>
    public LaneRouting Routing { get; init; }

    /// <summary>
    /// After this long the transfer is cancelled: posting stops, what is posted is drained, then it ends with a
    /// <see cref="TimeoutException"/>. Default: <see cref="TransferEngineOptions.TransferDeadline"/>.
    /// </summary>
    public TimeSpan? Deadline { get; init; }
}
