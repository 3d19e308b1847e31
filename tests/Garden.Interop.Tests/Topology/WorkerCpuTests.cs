using Garden.Interop.Topology;

namespace Garden.Interop.Tests.Topology;

/// <summary>Which CPUs the workers of devices get.</summary>
public sealed class WorkerCpuTests
{
    [Fact]
    public void EveryWorkerHasACoreOfItsDevicesNode()
    {
        HostTopology host = HostListing.Read("dgx-h100.txt");
        Dictionary<int, int> chosen = new(host.ChooseWorkerCpus([.. host.Gpus.Select(static gpu => gpu.Node)]));
        // Not the nodes' first cores, 0 and 56.
        Assert.Equal(new Dictionary<int, int> { [0] = 1, [1] = 2, [2] = 3, [3] = 4, [4] = 57, [5] = 58, [6] = 59, [7] = 60 }, chosen);
    }

    [Fact]
    public void AlternatingCpusAreTakenByNodeAndNotBySequence()
    {
        HostTopology host = HostListing.Read("two-sockets.txt");
        Assert.Equal(new Dictionary<int, int> { [0] = 2, [1] = 3, [2] = 4 }, new(host.ChooseWorkerCpus([0, 1, 0])));
    }

    [Fact]
    public void OnlyCpusThatTheProcessMayUseAreChosen()
    {
        // Of core 5 (5 and 117) only the second thread is allowed, of core 0 both.
        HostTopology host = HostListing.Read("dgx-h100.txt", [0, 112, 117]);
        Assert.Equal(new Dictionary<int, int> { [0] = 117, [1] = 0 }, new(host.ChooseWorkerCpus([0, 0, 0, 1])));
    }

    [Fact]
    public void ANodeOfMemoryAloneBorrowsTheNearestNodesCpusAndAnUnknownOneAll()
    {
        HostTopology host = HostListing.Read("shared-switches.txt");
        Assert.Equal(1, host.ChooseWorkerCpus([2])[0]);
        HostTopology far = HostListing.Read("shared-switches.txt", null, "node 2 - 40,14,10");
        Assert.Equal(33, far.ChooseWorkerCpus([2])[0]);
        Assert.Equal(1, host.ChooseWorkerCpus([-1])[0]);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("0", "0")]
    [InlineData("0-3,8", "0-3,8")]
    [InlineData(" 5,4,1-2,2-3 ", "1-5")]
    public void ListsOfCpusAreRead(string text, string expected) => Assert.Equal(expected, CpuList.Format(CpuList.Parse(text)));

    [Theory]
    [InlineData("3-1")]
    [InlineData("x")]
    [InlineData("0-1-2")]
    [InlineData("0-99999999")]
    public void OtherTextsAreNoListsOfCpus(string text) => Assert.Throws<FormatException>(() => CpuList.Parse(text));

    [Theory]
    [InlineData("0000:1b:00.0", "0000:1b:00.0")]
    [InlineData("00000000:1B:00.0", "0000:1b:00.0")]
    [InlineData("1b:1f.7", "0000:1b:1f.7")]
    [InlineData("10000:e1:00.0", "10000:e1:00.0")]
    public void PciAddressesAreReadAsEveryoneWritesThem(string text, string expected) => Assert.Equal(expected, PciAddress.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("1b")]
    [InlineData("0000:1b:20.0")]
    [InlineData("0000:1b:00.8")]
    [InlineData("0000:100:00.0")]
    [InlineData("0:0000:1b:00.0")]
    [InlineData("0000:1b:00")]
    public void OtherTextsAreNoPciAddresses(string text)
    {
        FormatException refused = Assert.Throws<FormatException>(() => PciAddress.Parse(text));
        Assert.Contains("0000:1b:00.0", refused.Message, StringComparison.Ordinal);
    }
}
