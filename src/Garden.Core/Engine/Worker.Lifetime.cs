using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>Beginning, fault and end: whoever waits for the worker is told, and nothing is freed that somebody may still use.</summary>
internal sealed unsafe partial class Worker
{
    /// <summary>Starts the thread and waits until it runs, pinned where asked.</summary>
    /// <exception cref="InvalidOperationException">It could not be pinned.</exception>
    public void Start()
    {
        if (_thread is null)
            return;
        _thread.Start();
        if (!_started.Wait(TimeSpan.FromSeconds(30)))
            throw new InvalidOperationException($"The worker thread of device {Device} did not start within 30 s.");
        if (_startFailure is not null)
            throw new InvalidOperationException($"The worker of device {Device} could not start: {_startFailure.Message}", _startFailure);
    }

    /// <summary>Ends the thread. False when it does not end: a handler blocks it, and what it uses must stay.</summary>
    public bool Stop()
    {
        _stopRequested = true;
        _parker.Wake();
        return _thread is null
            || (_thread.ThreadState & System.Threading.ThreadState.Unstarted) != 0
            || (!IsCurrentThread && _thread.Join(TimeSpan.FromSeconds(10)));
    }

    /// <summary>
    /// After the thread has ended (or where there is none): lets goodbyes go out and what is posted drain, for a moment. False
    /// when another thread is still polling.
    /// </summary>
    public bool RunLastTurns()
    {
        long end = Stopwatch.GetTimestamp() + (2 * Stopwatch.Frequency);
        while (Interlocked.Exchange(ref _running, 1) != 0)
        {
            if (Stopwatch.GetTimestamp() > end)
                return false;
            Thread.Yield();
        }

        _runningThread = Environment.CurrentManagedThreadId;
        end = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 5);
        do
        {
            try
            {
                if (_fault is not null)
                    break;
                Turn();
            }
            catch (Exception exception)
            {
                Fault(exception);
            }
        }
        while ((_records.Active != 0 || _outboxes.Count != 0) && Stopwatch.GetTimestamp() < end);

        Seal();
        return true;
    }

    /// <summary>The worker that could not be stopped in time seals itself when its thread ends after all.</summary>
    public bool SealLater()
    {
        _sealOnExit = true;
        return _thread is null || !_thread.IsAlive;
    }

    /// <summary>From here on nobody gets in: the ring is closed and drained, commands are rejected, and who waits is told.</summary>
    private void Seal()
    {
        _ring.Close();
        Volatile.Write(ref _ended, true);
        Interlocked.MemoryBarrier();
        var disposed = new ObjectDisposedException(nameof(TransferEngine));
        EndAll(disposed);
        long end = Stopwatch.GetTimestamp() + Stopwatch.Frequency;
        while (!_ring.IsDrained && Stopwatch.GetTimestamp() < end)
        {
            RejectAll(disposed);
            Thread.Yield();
        }
    }

    /// <summary>Closes the NICs and frees what only the worker uses; the loop has ended.</summary>
    public void Dispose()
    {
        foreach (Nic nic in _nics)
            Guard(nic.Dispose);
        _records.Dispose();
        _parker.Dispose();
        _started.Dispose();
        NativeMemory.Free(_peerEntries);
        NativeMemory.AlignedFree(_batch);
        NativeMemory.AlignedFree(_rewind);
        NativeMemory.AlignedFree(_completions);
    }

    private void Fault(Exception exception)
    {
        if (_fault is not null)
            return;
        Volatile.Write(ref _fault, exception);
        EngineFaultedException fault = NewFault();
        Guard(() => GardenLog.WorkerFaulted(_logger, Device, exception));
        Guard(() => _engine.SetFault(fault));
        EndAll(fault);
    }

    /// <summary>Ends every transfer, waiter and peer: nothing is left that could hang. Each step by itself, whatever the others do.</summary>
    private void EndAll(Exception cause)
    {
        for (int i = 0; i < _records.Used; i++)
        {
            int index = i;
            if ((_records[i]->Flags & (TransferFlags.InUse | TransferFlags.Abandoned)) == TransferFlags.InUse)
                Guard(() => AbandonWithLeak(index, cause));
        }

        Guard(() => EndPeers(cause));
        Guard(() => RejectAll(cause));
    }

    /// <summary>Who owns the source memory must know when a NIC may still read it.</summary>
    private void AbandonWithLeak(int index, Exception cause)
    {
        int outstanding = _records[index]->Outstanding;
        if (outstanding != 0)
            _engine.CountLeak(outstanding);
        Abandon(index, outstanding == 0 ? cause : new TransferNotDrainedException(outstanding, cause));
    }

    /// <summary>On the way down nothing may throw past its own step: an exception here would end the process.</summary>
    private void Guard(Action step)
    {
        try
        {
            step();
        }
        catch (Exception exception)
        {
            try
            {
                GardenLog.CallbackFailed(_logger, "step of ending the worker", exception);
            }
            catch (Exception)
            {
                // The logger itself is broken; there is nobody left to tell.
            }
        }
    }

    /// <summary>Ends what comes to a worker that will not run it any more.</summary>
    private void RejectAll(Exception cause)
    {
        while (TryTakeCommand(out Command? command))
            command.Reject?.Invoke(cause);
        while (_ring.Peek() is var slot && slot is not null)
        {
            int source = slot->Source;
            ReleaseUnstarted(slot);
            _ring.Advance(slot);
            _engine.Sources[source].Complete(default, cause);
        }

        while (_outgoing.TryDequeue(out OutgoingMessage message))
            EndMessage(message, cause);
    }

    /// <summary>A faulted worker does one thing more: it tells whoever comes.</summary>
    private bool RunFaulted()
    {
        RejectAll(NewFault());
        return false;
    }
}
