namespace Garden.Weights;

/// <summary>A trainer rank's connection to one inference rank.</summary>
internal sealed class WeightReceiverLink(int rank, Peer peer)
{
    private readonly TaskCompletionSource<string> _welcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Rank => rank;

    public Peer Peer => peer;

    public string Name { get; private set; } = $"{peer.Address}";

    /// <summary>Where a step may be written.</summary>
    public WeightStepMailbox<WeightOffer> Offers { get; } = new();

    /// <summary>How a step has ended there.</summary>
    public WeightStepMailbox<string> Ends { get; } = new();

    public Task<string> Welcome => _welcome.Task;

    public void OnReply(WeightReply reply)
    {
        switch (reply.Kind)
        {
            case WeightMessageKind.Welcome:
                Name = reply.Text;
                _welcome.TrySetResult(reply.Text);
                break;
            case WeightMessageKind.Refusal:
                _welcome.TrySetException(new WeightUpdateException(0, $"rank {rank} at {peer.Address} refused the hello: {reply.Text}."));
                break;
            default:
                Ends.Post(reply.Step, reply.Text);
                break;
        }
    }

    public void Fail(Exception failure)
    {
        _welcome.TrySetException(failure);
        // Nobody may be waiting for it.
        _ = _welcome.Task.Exception;
        Offers.Fail(failure);
        Ends.Fail(failure);
    }
}
