namespace Garden;

/// <summary>The bytes of a descriptor, an address or a message could not be parsed, or belong to another engine or generation.</summary>
public sealed class DescriptorException : GardenException
{
    /// <summary>A refusal that names what was found and what was expected.</summary>
    public DescriptorException(string message)
        : base(message)
    {
    }
}
