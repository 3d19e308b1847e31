using System.Net;
using System.Net.Sockets;
using System.Text;
using Garden.Interop.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>The library in this process, and what a network does to it besides its peers.</summary>
public sealed class LibraryTests
{
    [Fact]
    public async Task T10_TheProcessHasTheSystemsCopyOfTheLibraryAndNoOther()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        await using TransferEngine tcp = FabricEngines.Build(new TcpFabric(TcpOptions.At("127.0.0.1")));
        await using TransferEngine shm = FabricEngines.Build(new ShmFabric(new ShmOptions()));
        string[] copies = [.. File.ReadLines("/proc/self/maps")
            .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, _, _, _, var path, ..] ? path : "")
            .Where(static path => Path.GetFileName(path).StartsWith("libfabric", StringComparison.Ordinal)).Distinct()];
        string copy = Assert.Single(copies);
        Assert.False(copy.StartsWith(AppContext.BaseDirectory, StringComparison.Ordinal), $"{copy} is not the system's");
        // None is shipped either, which a loader could find first.
        Assert.Empty(Directory.EnumerateFiles(AppContext.BaseDirectory, "lib*fabric*.so*", SearchOption.AllDirectories));
        Assert.Empty(Directory.EnumerateFiles(AppContext.BaseDirectory, "libibverbs*", SearchOption.AllDirectories));
        uint version = LibfabricLibrary.Require();
        Assert.Equal($"{version >> 16}.{version & 0xffff}", LibfabricLibrary.VersionText);
        Assert.True(version >= LibfabricLibrary.OldestVersion);
    }

    [Fact]
    public async Task T3_StrangersOnAnEnginesPortHarmNobody()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        await using FabricEngines pair = await FabricEngines.CreateAsync(new TcpFabric(TcpOptions.At("127.0.0.1")), new TcpFabric(TcpOptions.At("127.0.0.1")));
        var place = IPEndPoint.Parse(pair.Receiver.Address.Nics[0].Split('#')[0]);
        byte[] noise = new byte[4096];
        new Random(5).NextBytes(noise);
        foreach (byte[] said in new[] { [], Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: here\r\n\r\n"), noise, new byte[4096] })
        {
            using var stranger = new TcpClient();
            await stranger.ConnectAsync(place).WaitAsync(FabricEngines.Limit);
            await stranger.GetStream().WriteAsync(said);
            if (said.Length == 0)
                continue;
            // The engine's library hangs up on what is no greeting of its own.
            await HungUpAsync(stranger);
        }

        await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, Immediate.FromNumber(4)));
        await FabricEngines.ReachAsync(pair.Receiver.GetCounter(4), 1);
        Assert.Equal(PeerState.Ready, pair.Peer.State);
        Assert.Null(pair.Receiver.Failure);
        await using TransferEngine late = FabricEngines.Build(new TcpFabric(TcpOptions.At("127.0.0.1")));
        Assert.Equal(PeerState.Ready, (await late.ConnectAsync(pair.Receiver.Address, FabricEngines.Limit)).State);
    }

    private static async Task HungUpAsync(TcpClient stranger)
    {
        byte[] answer = new byte[1024];
        try
        {
            while (await stranger.GetStream().ReadAsync(answer).AsTask().WaitAsync(FabricEngines.Limit) != 0)
            {
            }
        }
        catch (IOException)
        {
            // Reset: bytes were left unread.
        }
    }
}
