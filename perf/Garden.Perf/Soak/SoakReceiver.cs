namespace Garden.Perf.Soak;

/// <summary>Compares what another node's stream has written here, and answers.</summary>
internal sealed class SoakReceiver(SoakNode node, SoakLink link, int stream)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    public async Task RunAsync()
    {
        ImmCounter barriers = node.Engine.GetCounter(SoakNode.BarrierNumber(link.Node));
        await foreach (SoakRound round in link.Rounds[stream].Reader.ReadAllAsync())
        {
            await node.Counters[link.Node][stream].WaitAsync(round.Units, s_deadline, [link.Peer]);
            if (stream == 1)
                await barriers.WaitAsync(round.Barriers, s_deadline, [link.Peer]);
            bool same = SoakRound.HashOf(node.Destination, SoakArea.Of(link.Node, stream), round.Ranges, round.Payload) == round.Hash;
            if (!same)
                node.CountMismatch();
            byte[] answer = [(byte)stream, same ? (byte)1 : (byte)0, .. BitConverter.GetBytes(round.Number)];
            await node.Engine.SendAsync(link.Peer, SoakNode.AnswerChannel, answer);
        }
    }
}
