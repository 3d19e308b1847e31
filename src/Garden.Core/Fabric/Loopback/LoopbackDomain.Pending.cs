using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Garden.Fabric.Loopback;

internal sealed unsafe partial class LoopbackDomain
{
    /// <summary>What one poll delivers at most, so that arrivals are not kept waiting behind a full queue.</summary>
    private const int DeliveriesPerPoll = 64;
    private const long BytesPerPoll = 4 << 20;

    /// <summary>A reordered delivery waits up to so many polls, so that it meets later ones to be overtaken by.</summary>
    private const int ReorderPolls = 8;

    /// <summary>The most bytes copied aside for writes that were reported early; one longer write is taken when there are none.</summary>
    private const long MostStagedBytes = 64 << 20;

    private readonly PendingOperation[] _operations;
    private readonly int[] _order;
    private readonly int[] _freeOperations;
    private readonly long _delayTicks;
    private readonly double _ticksPerByte;
    private readonly Random? _random;
    private int _pendingCount;
    private int _pendingWrites;
    private int _pendingMessages;
    private int _pass;
    private long _poll;
    private long _stagedBytes;
    private double _linkFree;

    private bool EarlyCompletion => _options.Completion == FabricCompletionLevel.LocalOnly;

    /// <summary>Puts a write among the pending ones; false when its early copy finds no room.</summary>
    private bool TryEnqueueWrite(LoopbackRoute route, in FabricWrite write)
    {
        if (!EarlyCompletion)
        {
            Enqueue(route, in write, 0, isMessage: false);
            return true;
        }

        if (_stagedBytes > 0 && write.Length > MostStagedBytes - _stagedBytes)
            return false;
        FabricStatus status = FabricStatus.RouteDown;
        void* copy = null;
        _section.Enter();
        if (Admit(route, route.Target!) != Admission.Down)
        {
            status = Locate(in write, route.Target!, staged: false, out byte* source, out _);
            if (status == FabricStatus.Ok && write.Length != 0)
            {
                copy = NativeMemory.Alloc((nuint)write.Length);
                // Safe: Locate found the source range inside a region that stays registered for the section.
                Buffer.MemoryCopy(source, copy, write.Length, write.Length);
            }
        }

        _section.Exit();
        _completions.AddWrite(write.Context, write.Route, status);
        if (status != FabricStatus.Ok)
        {
            if (status == FabricStatus.RouteDown)
                FailDown(route);
            return true;
        }

        FabricWrite staged = write;
        staged.LocalAddress = (ulong)copy;
        _stagedBytes += write.Length;
        Enqueue(route, in staged, (nint)copy, isMessage: false);
        return true;
    }

    private void EnqueueMessage(LoopbackRoute route, ReadOnlySpan<byte> message, ulong context)
    {
        void* copy = NativeMemory.Alloc((nuint)Math.Max(1, message.Length));
        // Safe: the copy has message.Length bytes.
        message.CopyTo(new Span<byte>(copy, message.Length));
        var write = new FabricWrite { LocalAddress = (ulong)copy, Length = message.Length, Context = context, Route = route.Index };
        Enqueue(route, in write, (nint)copy, isMessage: true);
    }

    private void Enqueue(LoopbackRoute route, in FabricWrite write, nint staged, bool isMessage)
    {
        int slot = _freeOperations[_freeOperations.Length - 1 - _pendingCount];
        ref PendingOperation operation = ref _operations[slot];
        operation.Write = write;
        operation.Staged = staged;
        operation.IsMessage = isMessage;
        operation.Due = DueTime(Math.Max(0, write.Length));
        operation.ReleasePoll = _poll + (_random?.Next(1, ReorderPolls + 1) ?? 0);
        _order[_pendingCount++] = slot;
        if (isMessage)
        {
            _pendingMessages++;
        }
        else
        {
            _pendingWrites++;
            route.PendingWrites++;
        }
    }

    /// <summary>When the link has carried so many bytes more, in stopwatch ticks; 0 without delay and pacing.</summary>
    private long DueTime(long bytes)
    {
        if (_delayTicks == 0 && _ticksPerByte == 0)
            return 0;
        _linkFree = Math.Max(_linkFree, Stopwatch.GetTimestamp()) + (bytes * _ticksPerByte);
        return (long)_linkFree + _delayTicks;
    }

    /// <summary>Delivers what is due. Where lanes are ordered, an operation that has to wait holds up its lane only.</summary>
    private void Progress()
    {
        long now = _delayTicks == 0 && _ticksPerByte == 0 ? 0 : Stopwatch.GetTimestamp();
        _poll++;
        _pass++;
        _random?.Shuffle(_order.AsSpan(0, _pendingCount));
        int kept = 0, delivered = 0, count = _pendingCount;
        long bytes = 0;
        for (int i = 0; i < count; i++)
        {
            int slot = _order[i];
            ref PendingOperation operation = ref _operations[slot];
            if (delivered < DeliveriesPerPoll && bytes < BytesPerPoll && TryDeliverPending(ref operation, now))
            {
                delivered++;
                bytes += operation.Write.Length;
                Retire(slot);
            }
            else
            {
                _order[kept++] = slot;
            }
        }

        if (_wakeCount != 0)
            WakeTargets();
    }

    private bool TryDeliverPending(ref PendingOperation operation, long now)
    {
        LoopbackRoute route = _routes[operation.Write.Route]!;
        if (Admit(route, route.Target!) == Admission.Down)
        {
            Report(route, in operation, FailDown(route));
            return true;
        }

        if (_random is null && (operation.IsMessage ? route.MessagesBlockedInPass : route.WritesBlockedInPass) == _pass)
            return false;
        FabricStatus status = FabricStatus.Ok;
        bool done = operation.Due <= now && operation.ReleasePoll <= _poll && (operation.IsMessage
            ? TryDeliverMessage(route, operation.Staged, (int)operation.Write.Length, out status)
            : TryDeliver(route, in operation.Write, operation.Staged != 0, out status));
        if (done)
            Report(route, in operation, status);
        else if (operation.IsMessage)
            route.MessagesBlockedInPass = _pass;
        else
            route.WritesBlockedInPass = _pass;
        return done;
    }

    private void Report(LoopbackRoute route, in PendingOperation operation, FabricStatus status)
    {
        if (operation.IsMessage)
        {
            _completions.AddMessage(operation.Write.Context, route.Index, status);
        }
        else if (!EarlyCompletion)
        {
            _completions.AddWrite(operation.Write.Context, route.Index, status);
        }
        else if (status != FabricStatus.Ok)
        {
            // It was reported as sent: like a broken connection, the route tells that something was lost.
            NoteFailure(route, status);
        }
    }

    /// <summary>Gives the slot of the operation that was taken out of the order back.</summary>
    private void Retire(int slot)
    {
        ref PendingOperation operation = ref _operations[slot];
        if (operation.IsMessage)
        {
            _pendingMessages--;
        }
        else
        {
            _pendingWrites--;
            if (FindRoute(operation.Write.Route) is { } route)
                route.PendingWrites--;
            _stagedBytes -= operation.Staged != 0 ? operation.Write.Length : 0;
        }

        FreeStaged(ref operation);
        _pendingCount--;
        _freeOperations[_freeOperations.Length - 1 - _pendingCount] = slot;
    }

    /// <summary>Ends pending operations without delivering them.</summary>
    private void DropPending(Predicate<PendingOperation> which, FabricStatus status)
    {
        int kept = 0, count = _pendingCount;
        for (int i = 0; i < count; i++)
        {
            int slot = _order[i];
            if (which(_operations[slot]))
            {
                Report(_routes[_operations[slot].Write.Route]!, in _operations[slot], status);
                Retire(slot);
            }
            else
            {
                _order[kept++] = slot;
            }
        }
    }

    private static void FreeStaged(ref PendingOperation operation)
    {
        NativeMemory.Free((void*)operation.Staged);
        operation.Staged = 0;
    }
}
