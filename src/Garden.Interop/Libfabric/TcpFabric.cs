using System.Globalization;
using System.Net;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>The fabric <c>tcp</c>: libfabric's tcp provider, natively or under its rxm layer (1.17).</summary>
public sealed class TcpFabric : IFabric
{
    /// <summary>The fabric's name.</summary>
    public const string FabricName = "tcp";

    /// <summary>Some 30 ms of a 10 Gbit/s link: what a message waits for at most behind bulk data of its connection.</summary>
    private const long MostBytesInFlight = 32 << 20;

    private readonly TcpOptions _options;

    /// <summary>A fabric on the given addresses.</summary>
    /// <exception cref="FabricException">An option is out of range; the message names it.</exception>
    public TcpFabric(TcpOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
    }

    /// <inheritdoc/>
    public string Name => FabricName;

    /// <inheritdoc/>
    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => DomainOpening.OpenAll(_options.Bind, bind => Open(bind, context.Signal));

    /// <summary>
    /// Writes ask for delivery completion: tcp would call a write complete once it is in the socket, and forgets it with the
    /// connection, which the layer above reopens without a word. A receiver's answer costs one small packet a write.
    /// </summary>
    internal static ProviderTraits Decide(ProviderAttributes attributes) => ProviderTraits.From(attributes) with
    {
        WriteFlags = FI.FI_DELIVERY_COMPLETE,
        Completion = FabricCompletionLevel.RemotePlaced,
        AnnouncesRevocations = true,
        MaxBytesInFlight = MostBytesInFlight,
        HasWaitDescriptor = true,
    };

    private unsafe LibfabricDomain Open(IPEndPoint bind, IWorkerSignal signal)
    {
        using ProviderQuery query = ProviderQuery.Begin("tcp");
        string? service = bind.Port == 0 ? null : bind.Port.ToString(CultureInfo.InvariantCulture);
        fi_info* info = query.Find(bind.Address.ToString(), service, $"tcp at {bind}");
        return new LibfabricDomain(info, Decide(ProviderAttributes.Read(info)) with { Place = bind.ToString() }, _options, [], signal);
    }
}
