using Garden.Fabric;

namespace Garden.KvCache;

/// <summary>
/// The proof, for the receiver, that nothing of a stopped request can land any more: an immediate behind the data on every lane
/// that carried some. Needless where a completion already says that the data lie in the remote memory.
/// </summary>
internal static class KvFences
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(5);

    /// <summary>True when the sender's completions alone prove the drain.</summary>
    public static bool AreNeedless(TransferEngine engine, Peer peer) => engine.Devices[peer.Worker.Device].Completion == FabricCompletionLevel.RemotePlaced;

    /// <summary>Posts the fences after the drain and returns their number, −1 when one could not be posted.</summary>
    public static async ValueTask<int> PostAsync(TransferEngine engine, Peer peer, Immediate fence, byte lanes)
    {
        if (lanes == 0 || AreNeedless(engine, peer))
            return 0;
        // Behind the data means something on an ordered lane only; elsewhere nothing can be proven and the receiver leaks.
        if (!engine.Devices[peer.Worker.Device].Ordered)
            return -1;
        int fences = 0;
        for (int lane = 0; lane < peer.LaneCount; lane++)
        {
            if ((lanes & (1 << lane)) == 0)
                continue;
            try
            {
                await engine.SubmitImmediate(peer, fence, new SubmitOptions { Routing = LaneRouting.Pinned(lane), Deadline = s_deadline });
                fences++;
            }
            catch (GardenException)
            {
                return -1;
            }
            catch (TimeoutException)
            {
                return -1;
            }
        }

        return fences;
    }
}
