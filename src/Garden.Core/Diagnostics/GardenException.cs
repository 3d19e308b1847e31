namespace Garden;

/// <summary>The base of every exception Garden throws for what a transfer, a peer or a fabric did.</summary>
public class GardenException : Exception
{
    /// <summary>An exception with a message that says what was wrong, with the values, and what to do next.</summary>
    public GardenException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
