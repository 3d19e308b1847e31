using System.Threading.Channels;

namespace Garden.Perf.Soak;

/// <summary>A node's view of another one.</summary>
internal sealed class SoakLink(int self, Peer peer, SoakTerms terms)
{
    public int Node { get; } = terms.Node;

    public Peer Peer { get; } = peer;

    /// <summary>What the other node counts of this one's streams.</summary>
    public Immediate[] Counters { get; } = [.. terms.Counters.Skip(self * SoakArea.Streams).Take(SoakArea.Streams)];

    /// <summary>The other node's memory.</summary>
    public RemoteRegion Region { get; } = peer.Import(terms.Region);

    /// <summary>Rounds of the other node's streams that wait to be compared.</summary>
    public Channel<SoakRound>[] Rounds { get; } = [Channel.CreateUnbounded<SoakRound>(), Channel.CreateUnbounded<SoakRound>()];

    /// <summary>The other node's answers to this one's rounds, by stream.</summary>
    public Channel<(long Number, bool Same)>[] Answers { get; } = [Channel.CreateUnbounded<(long, bool)>(), Channel.CreateUnbounded<(long, bool)>()];

    /// <summary>Units sent so far, by stream.</summary>
    public long[] Units { get; } = new long[SoakArea.Streams];

    /// <summary>Completes when the other node sends nothing more.</summary>
    public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
