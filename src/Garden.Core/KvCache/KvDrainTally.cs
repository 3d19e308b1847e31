namespace Garden.KvCache;

/// <summary>Adds up how the writes of a job end.</summary>
internal struct KvDrainTally()
{
    private bool _complete = true;
    private byte _lanes;
    private Exception? _failure;

    public readonly KvDrain Drain => new(_complete, _lanes, _failure);

    /// <summary>Consumes a transfer that has ended.</summary>
    public void Take(Transfer ended)
    {
        try
        {
            Add(ended.GetResult());
        }
        catch (Exception exception)
        {
            Add(exception);
        }
    }

    /// <summary>A plan that was never posted: nothing of it is on its way.</summary>
    public void Refuse(Exception failure) => _failure ??= failure;

    public void Add(in TransferResult result) => _lanes |= result.LanesUsed;

    /// <summary>The first failure is kept, but that something did not drain matters more than why it failed.</summary>
    public void Add(Exception failure)
    {
        switch (failure)
        {
            case TransferCanceledException cancelled:
                _lanes |= cancelled.Partial.LanesUsed;
                break;
            case TransferNotDrainedException:
                _complete = false;
                _failure = failure;
                break;
            default:
                _lanes = byte.MaxValue;
                break;
        }

        _failure ??= failure;
    }
}
