namespace Garden;

/// <summary>A request was refused before anything was posted: a range outside its region, a stale handle, lists of different lengths.</summary>
public sealed class PlanException : GardenException
{
    /// <summary>A refusal that names the value and the remedy.</summary>
    public PlanException(string message)
        : base(message)
    {
    }
}
