using Garden.Interop.Topology;

namespace Garden.Interop.Tests.Topology;

/// <summary>What belongs together on hosts of several kinds.</summary>
public sealed class HostTopologyTests
{
    [Fact]
    public void T9_EveryGpuOfADgxH100HasTheNicOfItsSwitch()
    {
        HostTopology host = HostListing.Read("dgx-h100.txt");
        // The table of NVIDIA's user guide; by bus number or by name the pairs of the second socket come out wrong.
        string[] expected = ["mlx5_0", "mlx5_3", "mlx5_4", "mlx5_5", "mlx5_6", "mlx5_9", "mlx5_10", "mlx5_11"];
        Assert.Equal(expected, host.Gpus.Select(gpu => Assert.Single(host.NicsOf(gpu)).Name));
        Assert.All(host.Gpus, gpu => Assert.Equal(Proximity.Switch, host.ProximityOf(gpu, host.NicsOf(gpu)[0])));
        // NVSwitches are bridges of NVIDIA's and the management controller has a display: neither is a GPU.
        Assert.Equal(8, host.Gpus.Count);
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1], host.Gpus.Select(static gpu => gpu.Node));
    }

    [Fact]
    public void StorageAndManagementNicsOfADgxAreKnownAndStayOut()
    {
        HostTopology host = HostListing.Read("dgx-h100.txt");
        NicDevice storage = Nic(host, "mlx5_1"), down = Nic(host, "mlx5_2"), management = Nic(host, "eno3");
        Assert.Null(storage.Unsuitable);
        Assert.Equal(200, storage.Gigabits);
        Assert.Equal(["enp41s0f0np0"], storage.Interfaces);
        Assert.Equal(Proximity.Node, host.ProximityOf(host.Gpus[0], storage));
        Assert.Equal(Proximity.Distant, host.ProximityOf(host.Gpus[7], storage));
        Assert.Equal("port 1 is DOWN", down.Unsuitable);
        Assert.Contains("no RDMA device", management.Unsuitable, StringComparison.Ordinal);
        Assert.Equal(13, host.Nics.Count);
        Assert.Equal(["mlx5_0", "mlx5_1", "mlx5_3", "mlx5_4", "mlx5_5"], host.NicsOfNode(0).Select(static nic => nic.Name));
    }

    [Fact]
    public void T9_EveryGpuOfAnAwsP5HasItsFourAdapters()
    {
        HostTopology host = HostListing.Read("aws-p5.txt");
        Assert.Equal(8, host.Gpus.Count);
        GpuDevice first = host.FindGpu(PciAddress.Parse("00000000:53:00.0"))!, last = host.FindGpu(PciAddress.Parse("CA:00.0"))!;
        Assert.Equal(["rdmap79s0", "rdmap80s0", "rdmap81s0", "rdmap82s0"], host.NicsOf(first).Select(static nic => nic.Name));
        Assert.Equal(["rdmap198s0", "rdmap199s0", "rdmap200s0", "rdmap201s0"], host.NicsOf(last).Select(static nic => nic.Name));
        Assert.Equal(32, host.Gpus.SelectMany(host.NicsOf).Distinct().Count());
        Assert.NotNull(Nic(host, "ens5").Unsuitable);
        Assert.Equal(-1, Nic(host, "ens5").Node);
    }

    [Fact]
    public void WithoutGpusNicsBelongToTheirNode()
    {
        HostTopology host = HostListing.Read("two-sockets.txt");
        Assert.Empty(host.Gpus);
        Assert.Equal("mlx5_0", Assert.Single(host.NicsOfNode(0)).Name);
        Assert.Equal("mlx5_1", Assert.Single(host.NicsOfNode(1)).Name);
        Assert.Equal([20, 10], host.Nodes[1].Distances);
        Assert.Equal(["mlx5_0", "mlx5_1", "eno1", "eno2"], host.Nics.Select(static nic => nic.Name));
    }

    [Fact]
    public void AGuestWithoutNodesAndRdmaHasAGpuAndNoNicForIt()
    {
        HostTopology host = HostListing.Read("h100-guest.txt");
        GpuDevice gpu = Assert.Single(host.Gpus);
        // -1 with one node is that node.
        Assert.Equal(0, gpu.Node);
        Assert.Empty(host.NicsOf(gpu));
        // Found through virtio's directory; ifb0, ifb1 and lo are no adapters.
        NicDevice nic = Assert.Single(host.Nics);
        Assert.Equal("eth0", nic.Name);
        Assert.Equal(Proximity.HostBridge, host.ProximityOf(gpu, nic));
    }

    [Fact]
    public void GpusBehindOneSwitchShareItsNicsAndTheLongerCommonWayWins()
    {
        HostTopology host = HostListing.Read("shared-switches.txt");
        // The first two have a switch of their own below the common one; the last two are equally near to both NICs.
        Assert.Equal(["mlx5_0", "mlx5_1", "mlx5_2", "mlx5_3"], host.Gpus.Select(gpu => Assert.Single(host.NicsOf(gpu)).Name));
    }

    [Fact]
    public void WhatSharesAWireOrIsSlowOrSoftwareStaysOut()
    {
        HostTopology host = HostListing.Read("shared-switches.txt");
        Assert.Equal("shares the wire of 0000:54:00.0", Nic(host, "mlx5_4").Unsuitable);
        Assert.Equal("shares the wire of 0000:54:00.0", Nic(host, "mlx5_5").Unsuitable);
        Assert.Equal("25 Gb/s where the fastest has 200", Nic(host, "irdma0").Unsuitable);
        NicDevice software = host.Nics[^1];
        Assert.True(software is { Name: "rxe0", IsSoftware: true, Unsuitable: "software, and there are devices" });
        Assert.Equal(["enp97s0f0"], software.Interfaces);
    }

    [Fact]
    public void AVirtualFunctionIsTheNicWhereItsPhysicalOneIsNotShown()
    {
        const string Switch = "pci pci0000:80/0000:80:01.0/0000:81:00.0/0000:82:00.0";
        HostTopology host = HostListing.Read(
            "h100-guest.txt", null,
            $"{Switch}/0000:83:00.0 0x020700 15b3:101b 0",
            $"{Switch}/0000:83:00.1 0x020700 15b3:101c 0",
            "physfn 0000:83:00.1 0000:83:00.0",
            "rdma mlx5_7 0000:83:00.1 1:ACTIVE:200:InfiniBand");
        Assert.Equal("mlx5_7", Assert.Single(host.NicsOf(host.Gpus[0])).Name);
        Assert.Equal(PciAddress.Parse("0000:83:00.0"), Nic(host, "mlx5_7").PhysicalFunction);
    }

    [Theory]
    // The second GPU's NIC goes down: another NIC of the node that is nobody's own, the storage adapter.
    [InlineData("rdma mlx5_3 0000:40:00.0 1:DOWN:400:InfiniBand", 1, "mlx5_1")]
    [InlineData("rdma mlx5_3 0000:40:00.0 1:INIT:400:InfiniBand", 1, "mlx5_1")]
    // One active port of two is enough.
    [InlineData("rdma mlx5_3 0000:40:00.0 1:DOWN:400:InfiniBand 2:ACTIVE:400:InfiniBand", 1, "mlx5_3")]
    public void ANicThatIsDownIsReplacedByTheNextNearestOne(string line, int gpu, string expected)
    {
        HostTopology host = HostListing.Read("dgx-h100.txt", null, line);
        Assert.Equal(expected, Assert.Single(host.NicsOf(host.Gpus[gpu])).Name);
        Assert.Equal("mlx5_0", Assert.Single(host.NicsOf(host.Gpus[0])).Name);
    }

    [Fact]
    public void ANodeThatIsNotNamedIsTheBridgesOrUnknown()
    {
        HostTopology host = HostListing.Read(
            "two-sockets.txt", null,
            "pci pci0000:c0/0000:c0:01.0 0x060400 8086:0001 1",
            "pci pci0000:c0/0000:c0:01.0/0000:c1:00.0 0x030200 10de:2330 -1",
            "pci pci0000:d0/0000:d0:01.0/0000:d1:00.0 0x030200 10de:2330 -1");
        Assert.Equal([1, -1], host.Gpus.Select(static gpu => gpu.Node));
        Assert.Equal(["mlx5_1"], host.NicsOf(host.Gpus[0]).Select(static nic => nic.Name));
        Assert.Equal(Proximity.Unknown, host.ProximityOf(host.Gpus[1], Nic(host, "mlx5_0")));
        // Nothing says which is nearer; the one that is nobody's own is left.
        Assert.Equal(["mlx5_0"], host.NicsOf(host.Gpus[1]).Select(static nic => nic.Name));
    }

    [Fact]
    public void ATreeThatIsNoneAndAGpuOfAnotherSnapshotAreRefused()
    {
        DirectoryNotFoundException missing = Assert.Throws<DirectoryNotFoundException>(() => HostTopology.Read("/nowhere"));
        Assert.Contains("/nowhere", missing.Message, StringComparison.Ordinal);
        HostTopology one = HostListing.Read("aws-p5.txt"), other = HostListing.Read("aws-p5.txt");
        ArgumentException foreign = Assert.Throws<ArgumentException>(() => one.NicsOf(other.Gpus[2]));
        Assert.Contains("0000:75:00.0", foreign.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ThisHostCanBeRead()
    {
        if (!Directory.Exists("/sys/devices"))
            Assert.Skip("No sysfs here.");
        HostTopology host = HostTopology.Read();
        Assert.All(host.Gpus, gpu => Assert.All(host.NicsOf(gpu), static nic => Assert.Null(nic.Unsuitable)));
        // A worker of this process runs where the process may.
        int cpu = Assert.Single(host.ChooseWorkerCpus([-1])).Value;
        Assert.Contains(cpu, WorkerCpuChoice.AllowedHere());
    }

    [Fact]
    public void UnderOneRootTheNodeSaysWhichNicIsNear()
    {
        // A guest whose devices of both nodes hang on one root, the second node's first.
        HostTopology host = HostListing.Read(
            "two-sockets.txt", null,
            "pci pci0000:e0/0000:e0:01.0 0x020700 15b3:1021 1",
            "pci pci0000:e0/0000:e0:02.0 0x020700 15b3:1021 0",
            "pci pci0000:e0/0000:e0:03.0 0x030200 10de:2330 0",
            "pci pci0000:e0/0000:e0:04.0 0x030200 10de:2330 1",
            "rdma flat1 0000:e0:01.0 1:ACTIVE:400:InfiniBand",
            "rdma flat0 0000:e0:02.0 1:ACTIVE:400:InfiniBand");
        Assert.Equal(["flat0", "flat1"], host.Gpus.Select(gpu => Assert.Single(host.NicsOf(gpu)).Name));
        Assert.Equal(Proximity.HostBridge, host.ProximityOf(host.Gpus[0], Nic(host, "flat0")));
        Assert.Equal(Proximity.Distant, host.ProximityOf(host.Gpus[0], Nic(host, "flat1")));
    }

    [Theory]
    [InlineData("node 1 8-15 21,garbage")]
    [InlineData("node 1 x-y 21,10")]
    public void AFileThatIsOddIsAbsent(string line)
    {
        HostTopology host = HostListing.Read("dgx-h100.txt", null, line);
        Assert.Equal(8, host.Gpus.SelectMany(host.NicsOf).Distinct().Count());
        NumaNode odd = host.Nodes[1];
        Assert.True(odd.Distances.Count == 0 || odd.Cpus.Count == 0, $"{odd}");
    }

    private static NicDevice Nic(HostTopology host, string name) => Assert.Single(host.Nics, nic => nic.Name == name);
}
