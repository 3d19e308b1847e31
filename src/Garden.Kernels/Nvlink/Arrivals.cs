using System.Diagnostics;
using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>The receiving side of a NIC's links: immediates and messages that came, writers that ended or were fenced.</summary>
/// <remarks>
/// Parking: the worker stores Armed, full fence, looks at all links; a writer publishes, full fence, reads Armed, and sends a wake when it
/// was the one to set it back. So one of the two sees the other.
/// </remarks>
internal sealed unsafe class Arrivals(OwnSegment segment) : IDisposable
{
    private readonly View[] _views = new View[Segment.Links];
    private readonly Dictionary<SharedMemoryName, int> _routes = [];
    private readonly bool[] _lent = new bool[Segment.Links * Segment.Messages];
    private int _first;

    /// <summary>True when there is something to take.</summary>
    public bool Any
    {
        get
        {
            for (int i = 0; i < segment.LinkCount; i++)
            {
                LinkRow* link = segment.LinkAt(i);
                if (Volatile.Read(ref link->State) != (int)LinkState.Free && !_views[i].IsCut
                    && (Volatile.Read(ref link->Tail) != link->Head || HasMessage(i, link)))
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>True when a peer has a route here.</summary>
    public bool HasLinks => segment.LinkCount != 0;

    /// <summary>Says by which route a peer is reached, −1 for none.</summary>
    public void Attribute(SharedMemoryName peer, int route)
    {
        if (route < 0)
            _routes.Remove(peer);
        else
            _routes[peer] = route;
    }

    /// <summary>Takes what came, from another link first each time.</summary>
    public int Take(Span<FabricCompletion> completions)
    {
        int count = segment.LinkCount, taken = 0;
        for (int i = 0; i < count && taken < completions.Length; i++)
            taken += Take((_first + i) % count, completions[taken..]);
        _first = count == 0 ? 0 : (_first + 1) % count;
        return taken;
    }

    /// <summary>Gives the buffer of a message back.</summary>
    /// <exception cref="InvalidOperationException">It was not lent, or given back already.</exception>
    public void Return(long token)
    {
        if ((ulong)token >= (ulong)_lent.Length || !_lent[token])
            throw new InvalidOperationException($"Message buffer {token} is not lent out; give each message back once, to the domain that reported it.");
        (long link, long slot) = Math.DivRem(token, Segment.Messages);
        _lent[token] = false;
        _views[link].Lent--;
        Volatile.Write(ref segment.LinkAt((int)link)->MessageState[slot], 0);
    }

    /// <summary>Fences the routes a peer has open now. When it returns, nothing lands any more that goes over them.</summary>
    /// <returns>False when copies of the peer were still running after the time given; they are its last ones.</returns>
    public bool TryFence(SharedMemoryName peer, TimeSpan limit) => TryFence(link => link.Writer == peer, limit);

    /// <summary>Fences everybody.</summary>
    public bool TryFenceAll(TimeSpan limit) => TryFence(static _ => true, limit);

    /// <summary>Looks for writers that have ended.</summary>
    public void Check()
    {
        for (int i = 0; i < segment.LinkCount; i++)
        {
            LinkRow* link = segment.LinkAt(i);
            ref View view = ref _views[i];
            if (view.IsKnown)
                Watch(ref view);
            else
                FreeIfAbandoned(link);
        }
    }

    public void Dispose()
    {
        foreach (View view in _views)
            view.Process?.Dispose();
    }

    private int Take(int index, Span<FabricCompletion> completions)
    {
        LinkRow* link = segment.LinkAt(index);
        if (Volatile.Read(ref link->State) == (int)LinkState.Free || Volatile.Read(ref link->Owner) == 0)
            return 0;
        ref View view = ref _views[index];
        if (!view.IsKnown)
            Introduce(link, ref view);
        // Read before the rest is taken: what was published before the end is taken as well.
        bool isLast = view.HasEnded || Volatile.Read(ref link->Closed) != 0;
        int taken = view.IsCut ? 0 : TakeImmediates(link, ref view, completions);
        taken += view.IsCut ? 0 : TakeMessages(index, link, ref view, completions[taken..]);
        if (isLast && taken < completions.Length && view.Lent == 0)
            Free(link, ref view);
        return taken;
    }

    private static void Introduce(LinkRow* link, ref View view)
    {
        view.IsKnown = true;
        view.Writer = link->Writer;
        Watch(ref view);
    }

    private static void Watch(ref View view)
    {
        if (view.HasEnded || view.Writer.Process == Environment.ProcessId)
            return;
        try
        {
            view.Process ??= ProcessWatch.TryOpen(view.Writer.Process, view.Writer.Start);
            view.HasEnded = view.Process is not { IsAlive: true };
        }
        catch (FabricException)
        {
            // No descriptor is left, say: that proves no end. Asked again with the next check.
        }
    }

    private int TakeImmediates(LinkRow* link, ref View view, Span<FabricCompletion> completions)
    {
        ulong head = link->Head, tail = Volatile.Read(ref link->Tail);
        if (tail == head)
            return 0;
        // A writer never gets further ahead than the ring is long.
        int count = (int)Math.Min(Math.Min(tail - head, Segment.Immediates), (ulong)completions.Length);
        int route = _routes.GetValueOrDefault(view.Writer, -1);
        for (int i = 0; i < count; i++)
        {
            // Safe: masked to the ring's length.
            ulong slot = link->Immediate[(head + (ulong)i) % Segment.Immediates];
            // None is not one of ours either, and counts for nothing.
            int times = (int)Math.Clamp(slot >> 32, 1, NvlinkOptions.MostQueueDepth);
            completions[i] = new FabricCompletion { Kind = FabricCompletionKind.Immediate, Route = route, Count = times, Immediate = (uint)slot };
        }

        Volatile.Write(ref link->Head, head + (ulong)count);
        return count;
    }

    /// <summary>A slot stays full while its message is lent out.</summary>
    private bool HasMessage(int index, LinkRow* link) =>
        Volatile.Read(ref link->MessageState[_views[index].NextMessage]) == 1 && !_lent[(index * Segment.Messages) + _views[index].NextMessage];

    private int TakeMessages(int index, LinkRow* link, ref View view, Span<FabricCompletion> completions)
    {
        int taken = 0;
        while (taken < completions.Length && HasMessage(index, link))
        {
            int slot = view.NextMessage;
            int token = (index * Segment.Messages) + slot;
            int length = link->MessageLength[slot];
            if ((uint)length > Segment.MessageBytes)
            {
                // Not one of ours: nothing more is taken from there.
                view.IsCut = true;
                Volatile.Write(ref link->State, (int)LinkState.Fenced);
                break;
            }

            completions[taken++] = new FabricCompletion
            {
                Kind = FabricCompletionKind.Message,
                Route = _routes.GetValueOrDefault(view.Writer, -1),
                Count = 1,
                Message = (nint)LinkRow.MessageAt(link, slot),
                MessageLength = length,
                MessageToken = token,
            };
            _lent[token] = true;
            view.Lent++;
            view.NextMessage = (slot + 1) % Segment.Messages;
        }

        return taken;
    }

    private bool TryFence(Predicate<LinkRow> which, TimeSpan limit)
    {
        int count = segment.LinkCount;
        bool isDone = true;
        long started = Stopwatch.GetTimestamp();
        Span<bool> fenced = stackalloc bool[Segment.Links];
        for (int i = 0; i < count; i++)
        {
            LinkRow* link = segment.LinkAt(i);
            if (Volatile.Read(ref link->State) == (int)LinkState.Free || !which(*link))
                continue;
            fenced[i] = true;
            Volatile.Write(ref link->State, (int)LinkState.Fenced);
        }

        // Orders the states before the looks at what was posted (see LinkRow).
        Interlocked.MemoryBarrier();
        for (int i = 0; i < count; i++)
        {
            if (!fenced[i])
                continue;
            // What is published from here on is not read.
            _views[i].IsCut = true;
            isDone &= LinkDrain.TryAwait(segment.LinkAt(i), limit - Stopwatch.GetElapsedTime(started));
        }

        return isDone;
    }

    private static void Free(LinkRow* link, ref View view)
    {
        view.Process?.Dispose();
        view = default;
        Volatile.Write(ref link->State, (int)LinkState.Free);
        (link->Closed, link->Posted, link->Acknowledged, link->Opened, link->Tail, link->Head) = (0, 0, 0, 0, 0, 0);
        // Safe: the table has a place for each message.
        new Span<int>(link->MessageState, Segment.Messages).Clear();
        Volatile.Write(ref link->Owner, 0);
    }

    /// <summary>A writer that died while it introduced itself left a row that is claimed and not open.</summary>
    private static void FreeIfAbandoned(LinkRow* link)
    {
        long owner = Volatile.Read(ref link->Owner);
        try
        {
            if (owner != 0 && Volatile.Read(ref link->State) == (int)LinkState.Free && ProcessIdentity.StartOf((int)(owner >> 1)) is null)
                Interlocked.CompareExchange(ref link->Owner, 0, owner);
        }
        catch (FabricException)
        {
            // Not known to have died.
        }
    }

    /// <summary>What the receiver knows of a link.</summary>
    private struct View
    {
        public bool IsKnown;

        /// <summary>True when nothing of it is read any more.</summary>
        public bool IsCut;

        /// <summary>True once the writer's process was found dead.</summary>
        public bool HasEnded;

        public int NextMessage;
        public int Lent;
        public SharedMemoryName Writer;

        /// <summary>Null for a writer in this process.</summary>
        public ProcessWatch? Process;
    }
}
