using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>How the domain works with a provider: decided once, from what the provider says of itself and what is known of it.</summary>
internal sealed record ProviderTraits
{
    private const int KnownMode = FI.FI_MR_LOCAL | FI.FI_MR_VIRT_ADDR | FI.FI_MR_ALLOCATED | FI.FI_MR_PROV_KEY | FI.FI_MR_ENDPOINT | FI.FI_MR_HMEM;

    public required ProviderAttributes Attributes { get; init; }

    /// <summary>What the NIC was opened on, where its domain's name does not say it.</summary>
    public string? Place { get; init; }

    /// <summary>The NIC in messages.</summary>
    public string Where => $"{Attributes.Provider} ({Place ?? Attributes.Domain})";

    /// <summary>Flags of every write besides FI_COMPLETION.</summary>
    public ulong WriteFlags { get; init; }

    /// <summary>What a completion means with these flags.</summary>
    public FabricCompletionLevel Completion { get; init; }

    /// <summary>True when writes to one peer land in the order they were posted.</summary>
    public bool Ordered { get; init; }

    /// <summary>True when a write without an immediate carries the immediate 0, which receivers pass over.</summary>
    public bool AlwaysImmediate { get; init; }

    /// <summary>False when a write that the receiver refuses may end as sent, or not at all.</summary>
    public bool TellsRefusedWrites { get; init; } = true;

    /// <summary>
    /// True when writers are told of a key's end before it ends. The providers that move bytes themselves need that: tcp receives
    /// a write to its end once its key was checked, and shm does not get over a write that it refuses.
    /// </summary>
    public bool AnnouncesRevocations { get; init; }

    /// <summary>The most bytes handed to the provider for one peer; more wait here, so that messages do not wait behind them.</summary>
    public long MaxBytesInFlight { get; init; } = long.MaxValue;

    /// <summary>True when the completion queue has a file descriptor to wait on.</summary>
    public bool HasWaitDescriptor { get; init; }

    /// <summary>True when endpoints share memory, so that one that goes takes its neighbours' mappings along.</summary>
    public bool SharesMemory { get; init; }

    public bool UsesVirtualAddresses => (Attributes.MrMode & FI.FI_MR_VIRT_ADDR) != 0;

    public bool ChoosesKeys => (Attributes.MrMode & FI.FI_MR_PROV_KEY) == 0;

    public bool NeedsLocalDescriptors => (Attributes.MrMode & FI.FI_MR_LOCAL) != 0;

    public bool BindsRegions => (Attributes.MrMode & FI.FI_MR_ENDPOINT) != 0;

    public bool ReachesDeviceMemory => (Attributes.Capabilities & FI.FI_HMEM) != 0;

    /// <summary>What all providers have in common.</summary>
    /// <exception cref="FabricException">The provider asks for something that is not known here.</exception>
    public static ProviderTraits From(ProviderAttributes attributes)
    {
        int unknown = attributes.MrMode & ~KnownMode;
        ulong unknownMode = attributes.Mode & ~(FI.FI_CONTEXT | FI.FI_CONTEXT2);
        if (unknown != 0 || unknownMode != 0)
            throw new FabricException($"Provider {attributes.Provider} ({attributes.Domain}) asks for memory registration mode 0x{unknown:x} and mode 0x{unknownMode:x}, which are not known here; use another libfabric version.");
        if (attributes.ImmediateBytes < sizeof(uint))
            throw new FabricException($"Provider {attributes.Provider} ({attributes.Domain}) carries {attributes.ImmediateBytes} bytes of immediate data; 4 are needed.");
        if (attributes.InjectSize < MessageFrame.HeaderLength)
            throw new FabricException($"Provider {attributes.Provider} ({attributes.Domain}) injects at most {attributes.InjectSize} bytes; acknowledgements need {MessageFrame.HeaderLength}.");
        return new ProviderTraits
        {
            Attributes = attributes,
            Ordered = (attributes.MessageOrder & (FI.FI_ORDER_WAW | FI.FI_ORDER_RMA_WAW)) != 0,
        };
    }
}
