using Garden.Fabric;

namespace Garden;

/// <summary>A fabric is missing, could not be opened, or reported an error for posted work.</summary>
public sealed class FabricException : GardenException
{
    /// <summary>An error of a fabric.</summary>
    public FabricException(string message, FabricStatus status = FabricStatus.ProviderError, int providerCode = 0, Exception? innerException = null)
        : base(message, innerException)
    {
        Status = status;
        ProviderCode = providerCode;
    }

    /// <summary>What happened, in the engine's terms.</summary>
    public FabricStatus Status { get; }

    /// <summary>The provider's own code, 0 where there is none.</summary>
    public int ProviderCode { get; }
}
