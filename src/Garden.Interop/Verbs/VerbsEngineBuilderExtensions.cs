using Garden.Interop.Verbs;

namespace Garden;

/// <summary>Adds devices on verbs to an engine.</summary>
public static class VerbsEngineBuilderExtensions
{
    /// <summary>Adds a device on verbs with one NIC per named port (<c>mlx5_0</c>, <c>mlx5_0:2</c>, <c>mlx5_0:1:3</c>); none named takes every active one.</summary>
    public static TransferEngineBuilder UseVerbs(this TransferEngineBuilder builder, params ReadOnlySpan<string> devices) =>
        builder.UseVerbs(new VerbsOptions { Devices = [.. devices] });

    /// <summary>Adds a device on verbs.</summary>
    public static TransferEngineBuilder UseVerbs(this TransferEngineBuilder builder, VerbsOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.UseFabric(new VerbsFabric(options));
    }
}
