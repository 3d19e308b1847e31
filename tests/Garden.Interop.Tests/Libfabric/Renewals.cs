using Garden.Fabric;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>A destination that gets new keys while its peer writes to it.</summary>
internal static class Renewals
{
    /// <summary>Renews the pair's destination under a transfer that fills it, and asserts that nothing of the old key lands and the connection lives.</summary>
    public static async Task UnderLoadAsync(FabricEngines pair, int pageBytes, int rounds)
    {
        int[] pages = [.. Enumerable.Range(0, (int)(pair.DestinationBuffer.Length / pageBytes))];
        for (int round = 0; round < rounds; round++)
        {
            Transfer transfer = pair.Sender.SubmitPagedWrites(
                pair.Source, new PageSpan(pages, pageBytes), pair.Destination, new PageSpan([.. pages.Reverse()], pageBytes), pageBytes, Immediate.None);
            Task<TransferResult> ended = FabricEngines.EndAsync(transfer);
            await pair.DestinationRegion.RenewAsync(FabricEngines.Limit);
            // From here on nothing of the old key lands, whatever the transfer still does.
            pair.DestinationBuffer.Span(0, (int)pair.DestinationBuffer.Length).Clear();
            try
            {
                await ended;
            }
            catch (FabricException refused)
            {
                Assert.Equal(FabricStatus.RemoteAccess, refused.Status);
            }

            Assert.False(pair.DestinationBuffer.Span(0, (int)pair.DestinationBuffer.Length).ContainsAnyExcept((byte)0), "a write landed under a revoked key");
            Assert.Equal(PeerState.Ready, pair.Peer.State);
            using ImmCounter counter = pair.Receiver.AllocateCounter();
            RemoteRegion renewed = pair.Peer.Import(pair.DestinationRegion.Export());
            await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, renewed, 0, 100_000, counter.Immediate));
            await FabricEngines.ReachAsync(counter, TransferUnits.OfRun(100_000));
            pair.Reimport();
        }
    }
}
