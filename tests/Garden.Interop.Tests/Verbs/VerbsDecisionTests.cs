using System.Diagnostics;
using System.Net;
using Garden.Fabric;
using Garden.Interop.Verbs;
using Garden.Interop.Verbs.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>What is decided without a device: names, addresses, identifiers, datagrams, errors.</summary>
public sealed class VerbsDecisionTests
{
    [Theory]
    [InlineData("::ffff:10.77.0.1", IBV.IBV_GID_TYPE_ROCE_V2, 0, 1)]
    [InlineData("2001:db8::1", IBV.IBV_GID_TYPE_ROCE_V2, 1, 0)]
    [InlineData("fe80::1", IBV.IBV_GID_TYPE_ROCE_V2, 2, 2)]
    [InlineData("::ffff:10.77.0.1", IBV.IBV_GID_TYPE_ROCE_V1, -1, -1)]
    [InlineData("fe80::1", IBV.IBV_GID_TYPE_IB, -1, -1)]
    public void T8_OnEthernetTheRoceV2IdentifierOfAnIpv4AddressIsTaken(string gid, uint type, int rank, int rankWithIPv6First)
    {
        Assert.Equal(rank, VerbsPort.RankOf(type, IPAddress.Parse(gid), isEthernet: true, preferIPv6: false));
        Assert.Equal(rankWithIPv6First, VerbsPort.RankOf(type, IPAddress.Parse(gid), isEthernet: true, preferIPv6: true));
    }

    [Fact]
    public void T8_OnInfiniBandTheSubnetsIdentifierIsTaken()
    {
        Assert.Equal(0, VerbsPort.RankOf(IBV.IBV_GID_TYPE_IB, IPAddress.Parse("fe80::5"), isEthernet: false, preferIPv6: false));
        Assert.Equal(-1, VerbsPort.RankOf(IBV.IBV_GID_TYPE_ROCE_V2, IPAddress.Parse("::ffff:10.0.0.1"), isEthernet: false, preferIPv6: false));
    }

    [Theory]
    [InlineData("mlx5_0", "mlx5_0", 0, -1)]
    [InlineData("mlx5_0:2", "mlx5_0", 2, -1)]
    [InlineData("rxe0:1:3", "rxe0", 1, 3)]
    public void DevicesAreNamedWithPortAndIdentifier(string text, string device, int port, int gid)
    {
        DeviceName name = DeviceName.Parse(text);
        Assert.Equal((device, port, gid), (name.Device, name.Port, name.GidIndex));
        Assert.Equal(text, name.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData(":1")]
    [InlineData("mlx5_0:0")]
    [InlineData("mlx5_0:x")]
    [InlineData("mlx5_0:1:256")]
    [InlineData("mlx5_0:1:1:1")]
    public void OtherNamesAreRefusedWithAnExample(string text) =>
        Assert.Contains("mlx5_0:1:3", Assert.Throws<FabricException>(() => DeviceName.Parse(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("::ffff:10.77.0.1#0.11.8e3a1c2b.5d6f0a1b2c3d4e5f")]
    [InlineData("fe80::5054:ff:fe12:3456#1a.ffffff.1.1")]
    public void AddressesPrintAndParse(string text) => Assert.Equal(text, VerbsAddress.Parse(text).ToString());

    [Theory]
    [InlineData("10.77.0.1#0.11.1.1")]
    [InlineData("::1")]
    [InlineData("::1#0.11.1")]
    [InlineData("::1#0.1000000.1.1")]
    [InlineData("::1#10000.1.1.1")]
    [InlineData("::1#0.1.1.x")]
    [InlineData("::1#0.1.1.1#2")]
    public void OtherAddressesAreRefusedWithAnExample(string text) =>
        Assert.Contains("#lid.qp.key.id", Assert.Throws<DescriptorException>(() => VerbsAddress.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void OffersArriveAsTheyWereSent()
    {
        var offer = new ConnectionOffer
        {
            Kind = OfferKind.Offer,
            Address = "::ffff:10.77.0.1#0.11.8e3a1c2b.5d6f0a1b2c3d4e5f",
            Epoch = 3,
            PeerEpoch = 7,
            IsSettled = true,
            DataQueuePair = 17,
            DataPacket = 0xfffffe,
            ControlQueuePair = 18,
            ControlPacket = 5,
            Mtu = 4096,
            ImmediateWindow = 256,
            MessageWindow = 8,
            MaxMessageLength = 8192,
        };
        byte[] bytes = new byte[ConnectionOffer.MaxLength];
        int length = offer.Write(bytes);
        Assert.Equal(offer, ConnectionOffer.TryParse(bytes.AsSpan(0, length)));
        Assert.True(offer.IsPlausible);
        // A reason is cut to what is left.
        ConnectionOffer reset = offer with { Kind = OfferKind.Reset, Address = new string('a', 255), Reason = new string('r', 5000) };
        Assert.Equal(ConnectionOffer.MaxLength, reset.Write(bytes));
        Assert.StartsWith("rrr", ConnectionOffer.TryParse(bytes)!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatAPeerGivesAsItsReasonHasNoControlCharacters()
    {
        byte[] bytes = new byte[ConnectionOffer.MaxLength];
        int length = new ConnectionOffer { Kind = OfferKind.Reset, Address = "::1#0.1.1.1", Reason = "full\r\n\u001b[31m2026 ERROR é" }.Write(bytes);
        Assert.Equal("full   [31m2026 ERROR é", ConnectionOffer.TryParse(bytes.AsSpan(0, length))!.Reason);
    }

    [Fact]
    public void NoMoreThanTwoFramesOfCreditsAreUnderWayForAWindow()
    {
        for (int window = 2; window <= 4096; window++)
        {
            int after = VerbsDomain.TellAfter(window);
            Assert.True(after >= 1 && after <= window && window / after <= 2, $"of {window} every {after}");
        }
    }

    [Fact]
    public void AFunctionThatTheLibraryDoesNotHaveIsNamedWithItsVersion()
    {
        Backends.Require("verbs", VerbsLibrary.IsPresent, VerbsLibrary.InstallLine);
        VerbsLibrary.Require("ibv_reg_dmabuf_mr", "34");
        FabricException old = Assert.Throws<FabricException>(() => VerbsLibrary.Require("ibv_of_the_future", "99"));
        Assert.Contains("ibv_of_the_future, which came with rdma-core 99", old.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void T4_DatagramsOfOthersAreNotTakenForOffers()
    {
        byte[] bytes = new byte[ConnectionOffer.MaxLength];
        int length = new ConnectionOffer { Kind = OfferKind.Offer, Address = "::1#0.1.1.1", Epoch = 1 }.Write(bytes);
        for (int cut = 0; cut < length; cut++)
            Assert.Null(ConnectionOffer.TryParse(bytes.AsSpan(0, cut)));
        bytes[4]++;
        Assert.Null(ConnectionOffer.TryParse(bytes.AsSpan(0, length)));
        var random = new Random(5);
        for (int i = 0; i < 10_000; i++)
        {
            random.NextBytes(bytes);
            Assert.True(ConnectionOffer.TryParse(bytes.AsSpan(0, random.Next(bytes.Length))) is null, $"garbage {i} was taken for an offer");
        }
    }

    [Fact]
    public void WhatAnOfferMayNotSayIsImplausible()
    {
        var good = new ConnectionOffer { Kind = OfferKind.Offer, Address = "::1#0.1.1.1", Epoch = 1, Mtu = 1024, ImmediateWindow = 8, MessageWindow = 2, MaxMessageLength = 64 };
        Assert.True(good.IsPlausible);
        Assert.All(
            new[] { good with { Epoch = 0 }, good with { Mtu = 1000 }, good with { DataPacket = 1 << 24 }, good with { ImmediateWindow = 0 }, good with { MessageWindow = -1 }, good with { MaxMessageLength = int.MaxValue } },
            static bad => Assert.False(bad.IsPlausible, bad.ToString()));
    }

    [Fact]
    public void WorkIdsKeepTheirParts()
    {
        WorkId id = new(WorkKind.Write, 0xabcdef, 0xfffffffe);
        Assert.Equal(id, WorkId.From(WorkId.Pack(id.Kind, id.Index, id.Sequence)));
    }

    [Fact]
    public void T8_OptionsOutOfRangeAreRefusedByName()
    {
        (string Name, VerbsOptions Options)[] bad =
        [
            ("QueueDepth", new() { QueueDepth = 0 }), ("RetryCount", new() { RetryCount = 7 }), ("Mtu", new() { Mtu = 1500 }), ("ServiceLevel", new() { ServiceLevel = 16 }),
            ("ImmediateWindow", new() { ImmediateWindow = 4 }), ("MaxWriteLength", new() { MaxWriteLength = 1024 }), ("Devices", new() { Devices = [.. Enumerable.Repeat("x", 9)] }),
        ];
        Assert.All(bad, static one => Assert.Contains(one.Name, Assert.Throws<FabricException>(() => new VerbsFabric(one.Options)).Message, StringComparison.Ordinal));
        // (6 + 1) × 4.096 µs × 2^14
        Assert.Equal(469.76, new VerbsOptions().RetryTime.TotalMilliseconds, 2);
    }

    [Fact]
    public void T5_StatusesAreExplained()
    {
        Assert.Equal(FabricStatus.RouteDown, VerbsErrors.StatusOf(IBV.IBV_WC_RETRY_EXC_ERR));
        Assert.Equal(FabricStatus.RemoteAccess, VerbsErrors.StatusOf(IBV.IBV_WC_REM_ACCESS_ERR));
        Assert.Equal(FabricStatus.Flushed, VerbsErrors.StatusOf(IBV.IBV_WC_WR_FLUSH_ERR));
        Assert.Equal(FabricStatus.NicDown, VerbsErrors.StatusOf(VerbsErrors.PortDown));
        Assert.Equal(FabricStatus.ProviderError, VerbsErrors.StatusOf(77));
        Assert.Contains("RetryTime", VerbsErrors.Explain(IBV.IBV_WC_RETRY_EXC_ERR), StringComparison.Ordinal);
        Assert.Contains("ulimit -l", VerbsErrors.Explain(VerbsErrors.FirstErrno + LibC.ENOMEM), StringComparison.Ordinal);
        Assert.Contains("4791", VerbsErrors.Explain(VerbsErrors.NoAnswer), StringComparison.Ordinal);
    }

    [Fact]
    public void H8_ADeviceThatIsNotThereIsRefusedAtOnceWithWhatWasLookedForAndWhatIsThere()
    {
        Backends.Require("verbs", VerbsLibrary.IsPresent, VerbsLibrary.InstallLine);
        long began = Stopwatch.GetTimestamp();
        FabricException missing = Assert.Throws<FabricException>(() => TransferEngine.CreateBuilder().UseVerbs("no_such_device").Build());
        Assert.Contains("no_such_device", missing.Message, StringComparison.Ordinal);
        Assert.Contains("/sys/class/infiniband", missing.Message + (VerbsDevices.Names().Count == 0 ? "" : "/sys/class/infiniband"), StringComparison.Ordinal);
        Assert.All(VerbsDevices.Names(), name => Assert.Contains(name, missing.Message, StringComparison.Ordinal));
        Assert.Contains(VerbsLibrary.SoftDeviceLine, missing.Message, StringComparison.Ordinal);
        TestContext.Current.TestOutputHelper?.WriteLine($"refused after {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms: {missing.Message}");
    }

    [Fact]
    public void TheLastKeysAreRemembered()
    {
        var keys = new RecentKeys(100);
        for (ulong key = 1; key <= 300; key++)
        {
            keys.Add(key);
            keys.Add(key);
        }

        for (ulong key = 201; key <= 300; key++)
            Assert.True(keys.Contains(key));
        Assert.False(keys.Contains(200));
    }
}
