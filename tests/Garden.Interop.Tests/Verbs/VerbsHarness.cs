using Garden.Fabric;
using Garden.Interop.Verbs;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>NICs of verbs devices in this process. Engines take turns with the devices there are: with one, all share it.</summary>
internal sealed class VerbsHarness : FabricHarness
{
    private readonly VerbsOptions _options;
    private int _next;

    public VerbsHarness(Func<VerbsOptions, VerbsOptions>? configure = null)
    {
        TestDevices.Require();
        // Short times, so that tests of absent peers are: an unanswered packet is given up after 0.5 s.
        VerbsOptions options = TestDevices.Options;
        _options = configure?.Invoke(options) ?? options;
    }

    public override string AbsentAddress => "::ffff:10.77.0.250#0.11.1.1";

    public override int RoundTrips => 300;

    public override bool TryFailNic(FabricEndpoint endpoint)
    {
        ((VerbsDomain)endpoint.Domain).Fail(VerbsErrors.PortDown);
        return true;
    }

    protected override IFabric Create(string name, int nics) => new VerbsFabric(_options with { Devices = TestDevices.Take(ref _next, nics) });
}

/// <summary>The verbs devices tests use.</summary>
internal static class TestDevices
{
    private static readonly Lazy<string?> s_missing = new(static () =>
    {
        if (!VerbsLibrary.IsPresent)
            return $"the library is not here: {VerbsLibrary.InstallLine}";
        try
        {
            _ = VerbsDevices.Active();
            return null;
        }
        catch (FabricException exception)
        {
            return $"no RDMA device; one of software: {VerbsLibrary.SoftDeviceLine} ({exception.Message})";
        }
    });

    /// <summary>Names of the devices with an active port.</summary>
    public static string[] Names { get; } = VerbsLibrary.IsPresent && s_missing.Value is null ? [.. VerbsDevices.Active().Select(static name => name.Device)] : [];

    /// <summary>Options for tests.</summary>
    public static VerbsOptions Options => new() { ConnectTimeout = TimeSpan.FromSeconds(2), MaxPeers = 16 };

    /// <summary>Skips the test when there is no device, or fails it where one is required.</summary>
    public static void Require() => Backends.SkipUnless("verbs", s_missing.Value);

    /// <summary>The next so many devices, from the first again behind the last.</summary>
    public static string[] Take(ref int next, int count)
    {
        Require();
        int first = next;
        next += count;
        return [.. Enumerable.Range(first, count).Select(static i => Names[i % Names.Length])];
    }
}
