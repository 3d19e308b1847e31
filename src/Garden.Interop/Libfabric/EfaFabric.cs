using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>The fabric <c>efa</c>: AWS Elastic Fabric Adapter (SRD) by libfabric's efa provider. All that is known of it is here.</summary>
/// <remarks>
/// <para>Source of each decision: the provider's manual page fi_efa(7) and fi_endpoint(3) of libfabric. SRD is unordered, so writes ask
/// for delivery completion, which alone proves that a stopped transfer is over. Completion queues have no wait object. The
/// provider may route peers of the same host through shm and copy device memory with CUDA calls; both are switched off, since
/// one NIC is to mean one wire and a CUDA call may wait for a resident kernel.</para>
/// <para>FI_MORE is not used: the provider rings no doorbell for a write that has it until one without follows, and of those that it
/// keeps back itself (no handshake yet, receiver not ready) released versions forget to (github.com/ofiwg/libfabric, pull request 12623).</para>
/// </remarks>
public sealed class EfaFabric : IFabric
{
    /// <summary>The fabric's name.</summary>
    public const string FabricName = "efa";

    /// <summary>How to get it.</summary>
    public const string InstallLine = "the EFA installer of AWS (aws-efa-installer, ./efa_installer.sh -y), which brings driver and libfabric";

    // Of fi_endpoint.h: they came with libfabric 1.18 behind FI_OPT_XPU_TRIGGER, 9, and are the same in 2.1. Older ones answer FI_ENOPROTOOPT.
    internal const int CudaApiPermitted = 10;
    internal const int SharedMemoryPermitted = 11;

    private readonly EfaOptions _options;

    /// <summary>A fabric on the given adapters.</summary>
    /// <exception cref="FabricException">An option is out of range; the message names it.</exception>
    public EfaFabric(EfaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
    }

    /// <inheritdoc/>
    public string Name => FabricName;

    /// <inheritdoc/>
    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => DomainOpening.OpenAll(_options.Domains, domain => Open(domain, context.Signal));

    internal static IReadOnlyList<EndpointOption> EndpointOptions { get; } =
    [
        new EndpointOption("FI_OPT_SHARED_MEMORY_PERMITTED", SharedMemoryPermitted, Value: false, Required: false),
        new EndpointOption("FI_OPT_CUDA_API_PERMITTED", CudaApiPermitted, Value: false, Required: false),
    ];

    internal static ProviderTraits Decide(ProviderAttributes attributes) => ProviderTraits.From(attributes) with
    {
        WriteFlags = FI.FI_DELIVERY_COMPLETE,
        Completion = FabricCompletionLevel.RemotePlaced,
        // Whatever the attributes say of messages: writes of SRD overtake each other.
        Ordered = false,
    };

    private unsafe LibfabricDomain Open(string domain, IWorkerSignal signal)
    {
        using ProviderQuery query = ProviderQuery.Begin("efa");
        query.SetDomain(domain);
        fi_info* info = query.Find(null, null, $"efa on {domain}", InstallLine);
        return new LibfabricDomain(info, Decide(ProviderAttributes.Read(info)), _options, EndpointOptions, signal);
    }
}
