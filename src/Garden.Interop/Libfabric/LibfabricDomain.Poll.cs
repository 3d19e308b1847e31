using System.Diagnostics;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>Progress and completions.</summary>
internal sealed unsafe partial class LibfabricDomain
{
    /// <summary>How long a worker parks at most where nothing can wake it: with a peer, and without.</summary>
    private static readonly long s_shortPark = Stopwatch.Frequency / 5_000, s_longPark = Stopwatch.Frequency / 200;

    /// <summary>How long a worker parks at most while the provider refuses something.</summary>
    private static readonly long s_refusedPark = Stopwatch.Frequency / 1_000;

    /// <summary>Every so many polls the provider is asked again after it has said that there is no more.</summary>
    private const int PollsPerLook = 16;

    private ProviderDetail? _lastDetail;
    private uint _polls;
    private ulong _entriesRead;

    /// <inheritdoc/>
    public int Poll(Span<FabricCompletion> completions)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Advance();
            int taken = TakeBacklog(completions);
            if (!_failed && taken < completions.Length)
            {
                int read = Read(completions[taken..]);
                taken += read;
                // A provider may look for arrivals only when it has no completion to give; whoever always writes always has one.
                if (++_polls % PollsPerLook == 0 && read != 0)
                    taken += Read(completions[taken..]);
            }

            // What reading has reported besides.
            return taken + TakeBacklog(completions[taken..]);
        }
    }

    /// <inheritdoc/>
    public bool TryArm(out long dueTimestamp)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            dueTimestamp = long.MaxValue;
            if (_backlog.Count != 0)
                return false;
            if (_failed)
                return true;
            if (_waiting.Count != 0 || _acknowledgements.Count != 0 || _unposted.Count != 0)
                dueTimestamp = Stopwatch.GetTimestamp() + s_refusedPark;
            if (!_traits.HasWaitDescriptor)
            {
                dueTimestamp = Math.Min(dueTimestamp, Stopwatch.GetTimestamp() + (_peers.Count == 0 ? s_longPark : s_shortPark));
                return true;
            }

            fid* queue = &_nic.Cq->fid;
            return Calls.fi_trywait(_nic.Fabric, &queue, 1) == 0;
        }
    }

    /// <summary>What has to be done again and again besides reading completions.</summary>
    private void Advance()
    {
        if (_failed)
            return;
        if (_waiting.Count != 0)
            FlushWaiting();
        if (_acknowledgements.Count != 0 || _unposted.Count != 0)
            FlushAcknowledgements();
        // Seldom: reading the clock costs as much as a small write.
        if (_traits.SharesMemory && _polls % PollsPerLook == 0)
            CheckProcesses();
    }

    /// <summary>Reads completions for a later poll. True when there was any entry.</summary>
    private bool Harvest()
    {
        Span<FabricCompletion> completions = stackalloc FabricCompletion[EntriesPerRead];
        ulong before = _entriesRead;
        int taken = Read(completions);
        foreach (ref readonly FabricCompletion completion in completions[..taken])
            _backlog.Enqueue(completion);
        return _entriesRead != before;
    }

    private int Read(Span<FabricCompletion> completions)
    {
        int taken = 0;
        while (taken < completions.Length)
        {
            int room = Math.Min(EntriesPerRead, completions.Length - taken);
            nint count = Calls.fi_cq_read(_nic.Cq, _entries, (nuint)room);
            if (count == -FI.FI_EAVAIL && ReadError())
                continue;
            if (count is -FI.FI_EAGAIN or -FI.FI_EAVAIL or 0)
                break;
            if (count < 0)
            {
                FailFromPoll((int)-count);
                break;
            }

            _entriesRead += (ulong)count;
            // Safe: the provider has filled count entries, and there is room for as many completions.
            for (int i = 0; i < count;)
                i += Translate(_entries + i, (int)count - i, completions, ref taken);
            if (count < room)
                break;
        }

        return taken;
    }

    private int TakeBacklog(Span<FabricCompletion> completions)
    {
        int taken = 0;
        while (_backlog.Count != 0 && taken < completions.Length && _backlog.TryDequeue(out FabricCompletion completion))
            completions[taken++] = completion;
        return taken;
    }

    /// <summary>Reports what entries say and returns how many: of arrivals with one immediate, and of writes with one context, all that follow.</summary>
    private int Translate(fi_cq_data_entry* entry, int left, Span<FabricCompletion> completions, ref int taken)
    {
        if ((entry->flags & FI.FI_REMOTE_CQ_DATA) != 0)
            return TranslateArrivals(entry, left, completions, ref taken);
        int slot = _writes.IndexOf(entry->op_context);
        if (slot >= 0)
            return TranslateWrites(entry, left, slot, completions, ref taken);
        int receive = _receives.IndexOf(entry->op_context);
        if (receive >= 0)
        {
            if (TryReceive(receive, (int)entry->len, out FabricCompletion message))
                completions[taken++] = message;
            return 1;
        }

        int sent = _messages.IndexOf(entry->op_context);
        if (sent >= 0 && _messages[sent].IsWithProvider)
            EndHandOver(sent, 0);
        return 1;
    }

    private static int TranslateArrivals(fi_cq_data_entry* entry, int left, Span<FabricCompletion> completions, ref int taken)
    {
        // 32 bits are all that is ever sent.
        uint immediate = (uint)entry->data;
        int count = 1;
        while (count < left && (uint)entry[count].data == immediate && (entry[count].flags & FI.FI_REMOTE_CQ_DATA) != 0)
            count++;
        // Zero stands for "no immediate".
        if (immediate != 0)
            completions[taken++] = new FabricCompletion { Kind = FabricCompletionKind.Immediate, Route = -1, Count = count, Immediate = immediate };
        return count;
    }

    private int TranslateWrites(fi_cq_data_entry* entry, int left, int slot, Span<FabricCompletion> completions, ref int taken)
    {
        if (!_writes.IsInUse(slot))
        {
            // One that was reported with its lost peer.
            _writes.EndLost(slot);
            return 1;
        }

        LibfabricRoute route = _writes.RouteOf(slot);
        ulong context = _writes[slot].Context;
        long bytes = 0;
        int count = 0;
        do
        {
            bytes += _writes[slot].Length;
            _writes.Return(slot);
            count++;
        }
        while (count < left
            && (entry[count].flags & FI.FI_REMOTE_CQ_DATA) == 0
            && (slot = _writes.IndexOf(entry[count].op_context)) >= 0
            && _writes.IsInUse(slot)
            && _writes[slot].Context == context
            && _writes.RouteOf(slot) == route);
        Retire(route.Peer, count, bytes);
        if (taken != 0)
        {
            ref FabricCompletion last = ref completions[taken - 1];
            if (last.Context == context && last.Kind == FabricCompletionKind.Write && last.Status == FabricStatus.Ok && last.Route == route.Index)
            {
                last.Count += count;
                return count;
            }
        }

        completions[taken++] = new FabricCompletion { Kind = FabricCompletionKind.Write, Route = route.Index, Context = context, Count = count };
        return count;
    }

    /// <summary>An operation ended badly. The status first; of the rest only the context means something.</summary>
    private bool ReadError()
    {
        fi_cq_err_entry error = default;
        nint count = Calls.fi_cq_readerr(_nic.Cq, &error);
        if (count <= 0)
            return false;
        int code = error.err == 0 ? FI.FI_EOTHER : error.err;
        if (ProviderDetail.From(_nic.Cq, in error, code) is { } detail)
            _lastDetail = detail;
        int slot = _writes.IndexOf(error.op_context);
        if (slot >= 0)
        {
            if (!_writes.IsInUse(slot))
            {
                _writes.EndLost(slot);
                return true;
            }

            FabricStatus status = LibfabricErrors.StatusOf(code);
            LibfabricRoute route = _writes.RouteOf(slot);
            EndWrite(slot, status, code);
            if (status == FabricStatus.RouteDown)
                FailRoutesBehind(route, code);
            return true;
        }

        int sent = _messages.IndexOf(error.op_context);
        if (sent >= 0 && _messages[sent].IsWithProvider)
        {
            LibfabricRoute route = _messages[sent].Route!;
            EndHandOver(sent, code);
            if (LibfabricErrors.StatusOf(code) == FabricStatus.RouteDown)
                FailRoutesBehind(route, code);
            return true;
        }

        int receive = _receives.IndexOf(error.op_context);
        if (receive >= 0)
            PostReceive(receive);
        return true;
    }

    private void FailFromPoll(int code)
    {
        if (_failed)
            return;
        _failed = true;
        // Before sources are reported as free. Inside the gate neighbours cannot be asked to let go, but there nothing moves unless polled.
        if (!_traits.SharesMemory)
            _nic.CloseEndpoint();
        ReportFailure(code);
    }
}
