namespace Garden.Weights;

/// <summary>An inference rank's connection from one trainer rank.</summary>
/// <param name="Rank">The trainer rank.</param>
/// <param name="Peer">The connection.</param>
/// <param name="Name">What it calls itself.</param>
internal sealed record WeightSenderLink(int Rank, Peer Peer, string Name)
{
    public override string ToString() => $"trainer rank {Rank} ({Name})";
}
