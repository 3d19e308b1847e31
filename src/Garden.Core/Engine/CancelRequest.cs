namespace Garden;

/// <summary>Marks a transfer that is stopping because its user or its deadline said so; never thrown.</summary>
internal sealed class CancelRequest(bool timedOut) : GardenException(timedOut ? "The transfer missed its deadline." : "The transfer was cancelled.")
{
    public bool TimedOut { get; } = timedOut;
}
