using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Docs;

public class RawTransferExampleTests
{
    [Fact]
    public async Task A_range_goes_over_and_is_counted()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine sender = TransferEngine.CreateBuilder().UseLoopback(network, "sender").Build();
        await using TransferEngine receiver = TransferEngine.CreateBuilder().UseLoopback(network, "receiver").Build();
        using var weights = new NativeBuffer(8 << 20);
        new Random(1).NextBytes(weights.Span(0, 8 << 20));

        // <raw>
        // Receiver: register memory and allocate a counter; both travel as bytes, over any channel you have.
        using var memory = new NativeBuffer(64 << 20);
        MemoryRegion target = receiver.Register(memory);
        using ImmCounter counter = receiver.AllocateCounter();
        (byte[] Region, uint Immediate) ticket = (target.Export().ToBytes(), counter.Immediate.Value);

        // Sender: import what came, and write.
        MemoryRegion source = sender.Register(weights);
        Peer peer = await sender.ConnectAsync(receiver.Address);
        using RemoteRegion remote = peer.Import(MemoryRegionDescriptor.Parse(ticket.Region));
        TransferResult sent = await sender.SubmitSingleWrite(
            source, 0, remote, destinationOffset: 4096, weights.Length, Immediate.FromBits(ticket.Immediate));

        // Receiver: every byte is visible once its units have come.
        await counter.WaitAsync(TransferUnits.OfRun(weights.Length), TimeSpan.FromSeconds(5));
        // </raw>

        Assert.Equal(weights.Length, sent.Bytes);
        Assert.True(memory.Span(4096, 8 << 20).SequenceEqual(weights.Span(0, 8 << 20)));
    }

    [Fact]
    public void The_page_shows_the_code_that_is_tested() => Snippets.AssertShown("docs/engine.md", "raw");
}
