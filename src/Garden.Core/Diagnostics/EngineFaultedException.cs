namespace Garden;

/// <summary>A worker met an error it cannot go on from; the engine refuses work from then on.</summary>
public sealed class EngineFaultedException : GardenException
{
    /// <summary>The fault.</summary>
    public EngineFaultedException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
