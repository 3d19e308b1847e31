namespace Garden;

/// <summary>A weight update did not complete here: a rank died, was late or refused, or the bytes that arrived are not those that were sent. The message names the step and the ranks.</summary>
public class WeightUpdateException : GardenException
{
    /// <summary>The failure of an update.</summary>
    public WeightUpdateException(long step, string reason, Exception? innerException = null)
        : base($"Weight update {step}: {reason}", innerException) => Step = step;

    /// <summary>The step.</summary>
    public long Step { get; }
}
