using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Interop.Libfabric.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>
/// What is decided for EFA, on a provider that CI has: verbs under rxm asks for the same memory registration modes and carries four bytes of
/// immediate data. In the virtual machine of eng/rdma-vm.sh, with FI_UNIVERSE_SIZE=16: the provider sizes its queues for so many peers, and
/// soft-RoCE's are short.
/// </summary>
public sealed class RxmVerbsConformanceTests : FabricConformance
{
    [Fact]
    public void ItAsksForWhatEfaAsksFor()
    {
        RxmVerbsHarness.Require();
        ProviderTraits traits = RxmVerbsHarness.Decide(0);
        Assert.Equal(FI.FI_MR_LOCAL | FI.FI_MR_VIRT_ADDR | FI.FI_MR_ALLOCATED | FI.FI_MR_PROV_KEY, traits.Attributes.MrMode);
        Assert.Equal(sizeof(uint), traits.Attributes.ImmediateBytes);
        Assert.False(traits.ChoosesKeys);
        Assert.True(traits.UsesVirtualAddresses && traits.NeedsLocalDescriptors);
    }

    protected override FabricHarness CreateHarness() => new RxmVerbsHarness();
}

/// <summary>verbs;ofi_rxm at the virtual machine's addresses.</summary>
internal sealed class RxmVerbsHarness : LibfabricHarness
{
    private const string Provider = "verbs;ofi_rxm";
    private int _next;

    public RxmVerbsHarness()
        : base("rxm") => Require();

    public override string AbsentAddress => "10.77.0.250:1#1.0.40";

    public override int RoundTrips => 100;

    /// <summary>Skips the test where the provider is not here.</summary>
    public static void Require()
    {
        string? missing = !LibfabricLibrary.IsPresent ? LibfabricLibrary.InstallLine
            : !Directory.Exists("/sys/class/net/rpeer0") ? "soft-RoCE devices at 10.77.0.1 and on, as eng/rdma-vm.sh has them"
            : Environment.GetEnvironmentVariable("FI_UNIVERSE_SIZE") is null ? "FI_UNIVERSE_SIZE=16 in the environment"
            : null;
        Backends.SkipUnless("rxm", missing is null ? null : $"{Provider} needs {missing}");
    }

    /// <summary>What is decided for a device.</summary>
    public static unsafe ProviderTraits Decide(int device)
    {
        using ProviderQuery query = ProviderQuery.Begin(Provider);
        return EfaFabric.Decide(ProviderAttributes.Read(Find(query, device)));
    }

    protected override IFabric Create(string name, int nics)
    {
        int first = _next;
        _next += nics;
        return new RxmVerbsFabric([.. Enumerable.Range(first, nics).Select(static i => i % Directory.GetDirectories("/sys/class/infiniband").Length)]);
    }

    private static unsafe fi_info* Find(ProviderQuery query, int device) => query.Find($"10.77.0.{device + 1}", null, $"{Provider} at 10.77.0.{device + 1}");

    private sealed class RxmVerbsFabric(int[] devices) : IFabric
    {
        public string Name => "rxm";

        public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => DomainOpening.OpenAll(devices, device => Open(device, context.Signal));

        private static unsafe LibfabricDomain Open(int device, IWorkerSignal signal)
        {
            using ProviderQuery query = ProviderQuery.Begin(Provider);
            fi_info* info = Find(query, device);
            var tuning = new LibfabricTuning { QueueDepth = 256, MessageDepth = 64, ReceiveDepth = 64, RouteTimeout = TimeSpan.FromSeconds(5) };
            return new LibfabricDomain(info, EfaFabric.Decide(ProviderAttributes.Read(info)), tuning, [], signal);
        }
    }
}
