using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>The fabric <c>shm</c>: libfabric's shared-memory provider, for processes of one host.</summary>
public sealed class ShmFabric : IFabric
{
    /// <summary>The fabric's name.</summary>
    public const string FabricName = "shm";

    /// <summary>Some 10 ms of copying: what a message waits for at most behind bulk data, which the receiver copies in the same queue's order.</summary>
    private const long MostBytesInFlight = 32 << 20;

    private readonly ShmOptions _options;

    /// <summary>A fabric on this host.</summary>
    /// <exception cref="FabricException">An option is out of range; the message names it.</exception>
    public ShmFabric(ShmOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
    }

    /// <inheritdoc/>
    public string Name => FabricName;

    /// <inheritdoc/>
    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => DomainOpening.OpenAll(Enumerable.Range(0, _options.Nics), _ => Open(context.Signal));

    /// <summary>
    /// The receiver executes a peer's commands in turn, so lanes are ordered although the provider promises less; its copies with
    /// the sender's address (no immediate, no key check) are kept away by giving every write an immediate. Small writes are
    /// complete once they are in the receiver's queue, and what it refuses (a stale key) it drops without telling.
    /// </summary>
    internal static ProviderTraits Decide(ProviderAttributes attributes) => ProviderTraits.From(attributes) with
    {
        Completion = FabricCompletionLevel.LocalOnly,
        Ordered = true,
        AlwaysImmediate = true,
        TellsRefusedWrites = false,
        AnnouncesRevocations = true,
        MaxBytesInFlight = MostBytesInFlight,
        SharesMemory = true,
    };

    private unsafe LibfabricDomain Open(IWorkerSignal signal)
    {
        using ProviderQuery query = ProviderQuery.Begin("shm");
        fi_info* info = query.Find(null, null, "shm");
        return new LibfabricDomain(info, Decide(ProviderAttributes.Read(info)), _options, [], signal);
    }
}
