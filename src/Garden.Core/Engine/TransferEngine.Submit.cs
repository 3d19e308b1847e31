using System.Diagnostics;

namespace Garden;

/// <content>Submission: validated on the caller's thread, handed over through the ring.</content>
public sealed partial class TransferEngine
{
    /// <summary>Submits a plan; waits for a free ring slot for at most <see cref="TransferEngineOptions.SubmitDeadline"/>.</summary>
    /// <exception cref="PlanException">A range lies outside its region, or a handle is stale. Nothing was posted.</exception>
    /// <exception cref="TimeoutException">The ring stayed full.</exception>
    /// <exception cref="InvalidOperationException">Called on the worker's own thread, where it would wait for itself: use <see cref="TrySubmit{TPlan}"/> there.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    /// <exception cref="EngineFaultedException">The engine has faulted.</exception>
    public Transfer Submit<TPlan>(in TPlan plan, in SubmitOptions options = default)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        if (TrySubmit(in plan, in options, out Transfer transfer))
            return transfer;
        return SubmitSlowly(in plan, in options);
    }

    /// <summary>Submits a plan; false when the ring is full. The one way to submit on the worker's thread.</summary>
    /// <exception cref="PlanException">A range lies outside its region, or a handle is stale. Nothing was posted.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    /// <exception cref="EngineFaultedException">The engine has faulted.</exception>
    public bool TrySubmit<TPlan>(in TPlan plan, in SubmitOptions options, out Transfer transfer)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        ThrowIfUnusable();
        var validator = new PlanValidator(Regions);
        TPlan.Validate(in plan, ref validator);
        int deadline = DeadlineMilliseconds(in options);
        // Nothing of the worker itself is read here: its fields change all the time on another core, see SubmissionPort.
        int device = Math.Max(0, validator.Device);
        Worker worker = _workers[device];
        TPlan.Acquire(in plan);
        TransferSource? source = null;
        try
        {
            source = Sources.Rent(worker);
            short token = source.Version;
            if (_ports[device].TryEnqueue(in plan, in validator, options.Routing, deadline, source))
            {
                transfer = new Transfer(source, token);
                return true;
            }
        }
        catch
        {
            // All sources are in use: the plan goes back as it came.
            TPlan.Release(in plan);
            throw;
        }

        TPlan.Release(in plan);
        Sources.Return(source);
        transfer = default;
        return false;
    }

    /// <summary>TransferEngine's submit_single_write: one range to one place.</summary>
    /// <inheritdoc cref="Submit{TPlan}"/>
    public Transfer SubmitSingleWrite(
        MemoryRegion source,
        long sourceOffset,
        RemoteRegion destination,
        long destinationOffset,
        long length,
        Immediate immediate = default,
        in SubmitOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        return Submit(new SingleWrite(source.Handle, sourceOffset, destination.Handle, destinationOffset, length, immediate), in options);
    }

    /// <summary>
    /// TransferEngine's submit_paged_writes: pages of one length from listed places to listed places. The lists are copied; use
    /// <see cref="PagedWrites"/> with a <see cref="PageList"/> when they serve more than once.
    /// </summary>
    /// <exception cref="PlanException">The lists differ in length, an index is out of range, a range lies outside its region. Nothing was posted.</exception>
    /// <inheritdoc cref="Submit{TPlan}"/>
    public Transfer SubmitPagedWrites(
        MemoryRegion source,
        in PageSpan sourcePages,
        RemoteRegion destination,
        in PageSpan destinationPages,
        long pageLength,
        Immediate immediate = default,
        in SubmitOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        if (sourcePages.Indices.Length != destinationPages.Indices.Length)
            ThrowHelper.ThrowListLengths("The source page list", sourcePages.Indices.Length, "the destination page list", destinationPages.Indices.Length);
        PageListHandle from = default, to = default;
        try
        {
            from = new PageListHandle(PageList.Rent(sourcePages.Indices));
            to = new PageListHandle(PageList.Rent(destinationPages.Indices));
            return Submit(
                new PagedWrites
                {
                    Source = source.Handle,
                    Destination = destination.Handle,
                    Immediate = immediate,
                    Count = sourcePages.Indices.Length,
                    PageLength = pageLength,
                    SourcePages = from,
                    DestinationPages = to,
                    SourceStride = sourcePages.Stride,
                    SourceOffset = sourcePages.Offset,
                    DestinationStride = destinationPages.Stride,
                    DestinationOffset = destinationPages.Offset,
                },
                in options);
        }
        finally
        {
            // The running transfer holds references of its own.
            from.Release();
            to.Release();
        }
    }

    /// <summary>TransferEngine's submit_scatter: ranges of one region to many peers, one immediate a target.</summary>
    /// <inheritdoc cref="Submit{TPlan}"/>
    public Transfer SubmitScatter(MemoryRegion source, ReadOnlySpan<ScatterTarget> targets, in SubmitOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ScatterListHandle list = ScatterListHandle.Rent(targets);
        try
        {
            return Submit(new ScatterWrites(source.Handle, list), in options);
        }
        finally
        {
            list.Release();
        }
    }

    /// <summary>The same; false when the ring is full. The way to scatter on the worker's thread.</summary>
    /// <inheritdoc cref="TrySubmit{TPlan}"/>
    public bool TrySubmitScatter(MemoryRegion source, ReadOnlySpan<ScatterTarget> targets, in SubmitOptions options, out Transfer transfer)
    {
        ArgumentNullException.ThrowIfNull(source);
        ScatterListHandle list = ScatterListHandle.Rent(targets);
        try
        {
            return TrySubmit(new ScatterWrites(source.Handle, list), in options, out transfer);
        }
        finally
        {
            list.Release();
        }
    }

    /// <summary>TransferEngine's submit_barrier: an immediate to every member of a group. It says nothing about other writes.</summary>
    /// <inheritdoc cref="Submit{TPlan}"/>
    public Transfer SubmitBarrier(PeerGroup group, Immediate immediate, in SubmitOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(group);
        return Submit(new Barrier(group.Handle, immediate), in options);
    }

    /// <summary>An immediate-only write to one peer. It says nothing about other writes, except on an ordered lane it is pinned to.</summary>
    /// <inheritdoc cref="Submit{TPlan}"/>
    public Transfer SubmitImmediate(Peer peer, Immediate immediate, in SubmitOptions options = default)
    {
        ArgumentNullException.ThrowIfNull(peer);
        peer.RequireReady();
        return Submit(new SingleWrite(default, 0, peer.SignalRegion, 0, 0, immediate), in options);
    }

    /// <summary>On the device's worker: true when something that was submitted is not posted yet.</summary>
    internal bool HasUnposted(int device) => _workers[device].HasUnposted;

    private Transfer SubmitSlowly<TPlan>(in TPlan plan, in SubmitOptions options)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        long started = Stopwatch.GetTimestamp();
        var wait = new SpinWait();
        while (true)
        {
            foreach (Worker worker in _workers)
            {
                if (worker.IsCurrentThread)
                    throw new InvalidOperationException("Submit was called on the worker's thread with a full ring and would wait for itself; use TrySubmit in handlers and retry on a later call.");
            }

            // Where the caller drives, it is driven from here, unless another thread is at it.
            if (Options.CallerDriven)
                TryPoll();
            else
                wait.SpinOnce();
            if (TrySubmit(in plan, in options, out Transfer transfer))
                return transfer;
            if (Stopwatch.GetElapsedTime(started) > Options.SubmitDeadline)
                throw new TimeoutException($"The submission ring ({Options.RingSlots} slots) stayed full for {Options.SubmitDeadline.TotalSeconds:0.###} s; await transfers before submitting more, or raise TransferEngineOptions.RingSlots.");
        }
    }

    private int DeadlineMilliseconds(in SubmitOptions options)
    {
        TimeSpan deadline = options.Deadline ?? Options.TransferDeadline;
        if (deadline <= TimeSpan.Zero || deadline > TimeSpan.FromDays(20))
            throw new ArgumentOutOfRangeException(nameof(options), deadline, "A transfer's deadline is more than zero and at most 20 days.");
        return (int)Math.Max(1, deadline.TotalMilliseconds);
    }
}
