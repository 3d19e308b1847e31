using System.Collections.Concurrent;
using System.Diagnostics;

namespace Garden.Weights;

/// <summary>What one update holds on a trainer rank while it runs.</summary>
internal sealed class WeightStepRun(long step, TimeSpan deadline, IReadOnlyDictionary<int, WeightStepTarget> targets, CancellationTokenSource limit) : IDisposable
{
    private readonly ConcurrentQueue<Task> _running = new();
    private readonly ConcurrentDictionary<int, (ImmCounter Counter, long Units)> _gathers = new();
    private readonly CancellationTokenSource _sending = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
    private readonly long _began = Stopwatch.GetTimestamp();
    private int _offered;

    public long Step => step;

    /// <summary>Ends with the step.</summary>
    public CancellationToken Token => limit.Token;

    /// <summary>Ends when no receiver is left; what other trainer ranks gather here goes on.</summary>
    public CancellationToken Sending => _sending.Token;

    /// <summary>Completes when no trainer rank gathers here any more.</summary>
    public required Task Served { get; init; }

    /// <summary>True when every receiver has failed.</summary>
    public bool NobodyIsLeft => targets.Values.All(static target => target.Failure is not null);

    /// <summary>True when nothing that other ranks write for this step lands any more.</summary>
    public bool IsFenced { get; set; }

    /// <summary>Why the step was given up; null while it was not.</summary>
    public Exception? Cause { get; set; }

    /// <summary>Trainer ranks that still gathered here when the step ended.</summary>
    public int[] LateTrainers { get; set; } = [];

    public IReadOnlyDictionary<int, WeightStepTarget> Targets => targets;

    public WeightLoader Loader { get; } = new();

    public WeightStages Stages { get; } = new();

    public TimeSpan Left
    {
        get
        {
            TimeSpan left = deadline - Stopwatch.GetElapsedTime(_began);
            return left > TimeSpan.FromMilliseconds(1) ? left : TimeSpan.FromMilliseconds(1);
        }
    }

    /// <summary>True for one caller only.</summary>
    public bool IsFirstOffer() => Interlocked.Exchange(ref _offered, 1) == 0;

    public bool AnyLive(ReadOnlySpan<WeightSend> sends)
    {
        foreach (ref readonly WeightSend send in sends)
        {
            if (targets[send.DestinationRank].IsLive)
                return true;
        }

        return false;
    }

    /// <summary>The counter of a gather slot, and the units it has when <paramref name="units"/> more have come. A slot is one task's at a time.</summary>
    public (ImmCounter Counter, long Target) Expect(TransferEngine engine, int slot, long units)
    {
        (ImmCounter counter, long before) = _gathers.GetOrAdd(slot, static (_, engine) => (engine.AllocateCounter(), 0), engine);
        _gathers[slot] = (counter, before + units);
        return (counter, before + units);
    }

    /// <summary>Nothing more will be gathered.</summary>
    public void RefuseGathers(Exception cause)
    {
        foreach ((ImmCounter counter, _) in _gathers.Values)
            counter.PoisonWith(cause);
    }

    /// <summary>Waits for a transfer, which a token cancels: one that its peer does not take must not hold the step up.</summary>
    public static async Task EndOf(Transfer transfer, CancellationToken token)
    {
        using CancellationTokenRegistration registration = token.UnsafeRegister(static state => ((Transfer)state!).Cancel(), transfer);
        await transfer.AsValueTask().ConfigureAwait(false);
    }

    public void Track(Task task) => _running.Enqueue(task);

    /// <summary>Waits for everything tracked; none of it throws.</summary>
    public async Task DrainAsync()
    {
        while (_running.TryDequeue(out Task? task))
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Cancel() => limit.Cancel();

    /// <summary>Ends the sending when every receiver has failed; callable on the worker.</summary>
    public void StopWhenNobodyIsLeft()
    {
        if (NobodyIsLeft)
            _ = _sending.CancelAsync();
    }

    public void Dispose()
    {
        foreach ((ImmCounter counter, _) in _gathers.Values)
            counter.Dispose(drainConfirmed: IsFenced);
        foreach (WeightStepTarget target in targets.Values)
            target.Dispose();
        _sending.Dispose();
    }
}
