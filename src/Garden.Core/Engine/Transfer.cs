using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>
/// A transfer in flight: awaitable and pollable without allocation. Consume it exactly once: await it, read
/// <see cref="GetResult"/> after <see cref="IsCompleted"/>, or <see cref="Forget"/> it.
/// </summary>
/// <remarks>
/// Completion says that the source bytes may be reused. What it says about the receiver is declared by the fabric
/// (<see cref="Fabric.FabricCapabilities.Completion"/>); a receiver learns of its data by the count of immediates only.
/// </remarks>
public readonly struct Transfer
{
    private readonly TransferSource? _source;
    private readonly short _token;

    internal Transfer(TransferSource source, short token)
    {
        _source = source;
        _token = token;
    }

    /// <summary>True when the transfer has ended, well or badly. Not to be asked after it was consumed.</summary>
    public bool IsCompleted => Source.IsCompleted(_token);

    /// <summary>The result of a completed transfer; consumes it.</summary>
    /// <exception cref="PeerFailedException">The peer failed.</exception>
    /// <exception cref="FabricException">A write failed; posting stopped and what was posted has drained.</exception>
    /// <exception cref="TimeoutException">The deadline passed; posting stopped and what was posted has drained.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled and has drained.</exception>
    /// <exception cref="TransferNotDrainedException">It ended without a confirmed drain; the source memory must not be reused.</exception>
    /// <exception cref="PlanException">A region of the plan was unregistered between submission and posting.</exception>
    public TransferResult GetResult() => Source.GetResult(_token);

    /// <summary>Stops posting, drains what is posted, then ends the transfer as cancelled. Returns at once; one that has completed or was consumed stays as it is.</summary>
    public void Cancel()
    {
        TransferSource source = Source;
        if (source.IsRunning(_token))
            source.Worker!.RequestCancel(source.Index, _token);
    }

    /// <summary>Gives up the result; a failure still shows in the engine's metrics and log.</summary>
    public void Forget() => Source.Forget(_token);

    /// <summary>The transfer as a task; consumes it.</summary>
    public ValueTask<TransferResult> AsValueTask() => new(Source, _token);

    /// <summary>For await; consumes the transfer.</summary>
    public ValueTaskAwaiter<TransferResult> GetAwaiter()
    {
        ValueTask<TransferResult> task = new(Source, _token);
        return task.GetAwaiter();
    }

    private TransferSource Source => _source ?? throw new InvalidOperationException("A default Transfer stands for nothing; use the one Submit returned.");
}
