using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Interop.Libfabric.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>Decisions about providers, on attributes as they print them.</summary>
public sealed class ProviderDecisionTests
{
    /// <summary>As fi_info prints tcp;ofi_rxm of 1.17.</summary>
    private static ProviderAttributes Tcp => new()
    {
        Provider = "tcp;ofi_rxm",
        Domain = "lo",
        MessageOrder = FI.FI_ORDER_WAW | FI.FI_ORDER_RMA_WAW,
        InjectSize = 64,
        MaxMessageSize = long.MaxValue,
        KeyBytes = 8,
        ImmediateBytes = 8,
        AddressFormat = FI.FI_SOCKADDR_IN,
    };

    /// <summary>The mode bits fi_efa(7) and the provider's info have for reliable datagrams.</summary>
    private static ProviderAttributes Efa => new()
    {
        Provider = "efa",
        Domain = "rdmap16s27-rdm",
        InjectSize = 32,
        MrMode = FI.FI_MR_LOCAL | FI.FI_MR_VIRT_ADDR | FI.FI_MR_ALLOCATED | FI.FI_MR_PROV_KEY,
        MessageOrder = FI.FI_ORDER_WAW,
        MaxMessageSize = long.MaxValue,
        KeyBytes = 4,
        ImmediateBytes = 4,
        AddressFormat = 14,
    };

    [Fact]
    public void TcpIsOrderedCountsFromTheRegionsStartAndAsksForDelivery()
    {
        ProviderTraits traits = TcpFabric.Decide(Tcp);
        Assert.True(traits.Ordered);
        Assert.True(traits.ChoosesKeys);
        Assert.False(traits.UsesVirtualAddresses);
        Assert.Equal(FI.FI_DELIVERY_COMPLETE, traits.WriteFlags);
        Assert.Equal(FabricCompletionLevel.RemotePlaced, traits.Completion);
    }

    [Fact]
    public void ShmGivesEveryWriteAnImmediate()
    {
        ProviderTraits traits = ShmFabric.Decide(Tcp with { Provider = "shm", MrMode = FI.FI_MR_VIRT_ADDR, MessageOrder = 0 });
        Assert.True(traits.AlwaysImmediate);
        Assert.True(traits.UsesVirtualAddresses);
        Assert.False(traits.TellsRefusedWrites);
        Assert.Equal(FabricCompletionLevel.LocalOnly, traits.Completion);
    }

    [Fact]
    public void EfaIsUnorderedWhateverItsAttributesSayAndProvesDelivery()
    {
        ProviderTraits traits = EfaFabric.Decide(Efa);
        Assert.False(traits.Ordered);
        Assert.False(traits.ChoosesKeys);
        Assert.True(traits.UsesVirtualAddresses);
        Assert.True(traits.NeedsLocalDescriptors);
        Assert.False(traits.ReachesDeviceMemory);
        Assert.True(EfaFabric.Decide(Efa with { Capabilities = FI.FI_HMEM }).ReachesDeviceMemory);
        Assert.Equal(FI.FI_DELIVERY_COMPLETE, traits.WriteFlags);
        Assert.All(EfaFabric.EndpointOptions, static option => Assert.False(option.Value));
    }

    [Fact]
    public void UnknownDemandsAndShortImmediatesAreRefusedByName()
    {
        const int Raw = 1 << 3;
        FabricException mode = Assert.Throws<FabricException>(() => EfaFabric.Decide(Efa with { MrMode = Efa.MrMode | Raw }));
        Assert.Contains("0x8", mode.Message, StringComparison.Ordinal);
        FabricException inject = Assert.Throws<FabricException>(() => EfaFabric.Decide(Efa with { InjectSize = 8 }));
        Assert.Contains("8 bytes", inject.Message, StringComparison.Ordinal);
        FabricException immediate = Assert.Throws<FabricException>(() => TcpFabric.Decide(Tcp with { ImmediateBytes = 2 }));
        Assert.Contains("2 bytes", immediate.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1:4711#1f.0.2000", FI.FI_SOCKADDR_IN)]
    [InlineData("[fe80::1]:4711#ffffffffffffffff.7f0000001000.40", FI.FI_SOCKADDR_IN6)]
    [InlineData("fi_shm://123:0:1#2.3.ff", FI.FI_ADDR_STR)]
    [InlineData("xfe80000000000000abcd#4.5.1", 14u)]
    public void AddressesPrintAndParse(string text, uint format) => Assert.Equal(text, LibfabricAddress.Parse(text, format).Format(format));

    [Theory]
    [InlineData("127.0.0.1:4711", FI.FI_SOCKADDR_IN)]
    [InlineData("127.0.0.1#1.2.3", FI.FI_SOCKADDR_IN)]
    [InlineData("127.0.0.1:4711#1", FI.FI_SOCKADDR_IN)]
    [InlineData("127.0.0.1:4711#1.2", FI.FI_SOCKADDR_IN)]
    [InlineData("127.0.0.1:4711#1.2.0", FI.FI_SOCKADDR_IN)]
    [InlineData("127.0.0.1:4711#1.2.3.4", FI.FI_SOCKADDR_IN)]
    [InlineData("127.0.0.1:4711#1.2.ffffffff", FI.FI_SOCKADDR_IN)]
    [InlineData("127.0.0.1:4711#x.y.z", FI.FI_SOCKADDR_IN)]
    [InlineData("[fe80::1]:4711#1.2.3", FI.FI_SOCKADDR_IN)]
    [InlineData("/dev/shm#1.2.3", FI.FI_ADDR_STR)]
    [InlineData("xabc#1.2.3", 14u)]
    public void OtherTextsAreRefusedWithAnExample(string text, uint format)
    {
        DescriptorException refused = Assert.Throws<DescriptorException>(() => LibfabricAddress.Parse(text, format));
        Assert.Contains("#key.base.length", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.0.0.0", "every address")]
    [InlineData("[::]:4711", "every address")]
    [InlineData("fe80::1", "link-local")]
    public void AddressesThatPeersCannotUseAreRefusedByName(string bind, string why)
    {
        FabricException refused = Assert.Throws<FabricException>(() => new TcpFabric(TcpOptions.At("127.0.0.1", bind)));
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void H8_AFabricThatIsNotThereIsRefusedAtOnceWithWhatIs()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        FabricException bind = Assert.Throws<FabricException>(() => TransferEngine.CreateBuilder().UseTcp("192.0.2.77").Build());
        Assert.Contains("192.0.2.77", bind.Message, StringComparison.Ordinal);
        FabricException efa = Assert.Throws<FabricException>(() =>
            TransferEngine.CreateBuilder().UseEfa(new EfaOptions { Domains = ["no-such-adapter"] }).Build());
        Assert.Contains("no-such-adapter", efa.Message, StringComparison.Ordinal);
        Assert.Contains("shm", efa.Message, StringComparison.Ordinal);
        Assert.Contains("efa_installer", efa.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void T5_CodesAreExplained()
    {
        Assert.Equal(FabricStatus.RouteDown, LibfabricErrors.StatusOf(FI.FI_ECANCELED));
        Assert.Equal(FabricStatus.RemoteAccess, LibfabricErrors.StatusOf(FI.FI_EKEYREJECTED));
        Assert.Equal(FabricStatus.NicDown, LibfabricErrors.StatusOf(FI.FI_ENODEV));
        Assert.Equal(FabricStatus.ProviderError, LibfabricErrors.StatusOf(12345));
        Assert.Contains("ulimit -l", LibfabricErrors.Explain(FI.FI_ENOMEM), StringComparison.Ordinal);
    }
}
