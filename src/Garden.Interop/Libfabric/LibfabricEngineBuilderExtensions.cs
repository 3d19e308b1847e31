using Garden.Interop.Libfabric;

namespace Garden;

/// <summary>Adds devices on libfabric's providers to an engine.</summary>
public static class LibfabricEngineBuilderExtensions
{
    /// <summary>Adds a device on tcp with one NIC per local address (<c>10.0.0.1</c>, <c>10.0.0.1:4711</c>).</summary>
    public static TransferEngineBuilder UseTcp(this TransferEngineBuilder builder, params ReadOnlySpan<string> bind) => builder.UseTcp(TcpOptions.At(bind));

    /// <summary>Adds a device on tcp.</summary>
    public static TransferEngineBuilder UseTcp(this TransferEngineBuilder builder, TcpOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.UseFabric(new TcpFabric(options));
    }

    /// <summary>Adds a device on shared memory, for peers of this host.</summary>
    public static TransferEngineBuilder UseShm(this TransferEngineBuilder builder, ShmOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.UseFabric(new ShmFabric(options ?? new ShmOptions()));
    }

    /// <summary>Adds a device on AWS EFA.</summary>
    public static TransferEngineBuilder UseEfa(this TransferEngineBuilder builder, EfaOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.UseFabric(new EfaFabric(options));
    }
}
