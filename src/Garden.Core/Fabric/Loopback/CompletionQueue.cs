using System.Numerics;
using System.Runtime.CompilerServices;

namespace Garden.Fabric.Loopback;

/// <summary>A NIC's own completions, kept and taken by one thread; large enough that it cannot overrun.</summary>
internal sealed class CompletionQueue
{
    private readonly FabricCompletion[] _entries;
    private readonly int _mask;
    private int _head;
    private int _count;

    /// <param name="capacity">The most operations that are accepted and not yet polled.</param>
    public CompletionQueue(int capacity)
    {
        _entries = new FabricCompletion[(int)BitOperations.RoundUpToPowerOf2((uint)capacity)];
        _mask = _entries.Length - 1;
    }

    public int Count => _count;

    /// <summary>Reports the end of a write, merged with the one before when both succeeded under one context.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddWrite(ulong context, int route, FabricStatus status)
    {
        if (_count != 0 && status == FabricStatus.Ok)
        {
            ref FabricCompletion last = ref _entries[(_head + _count - 1) & _mask];
            if (last.Context == context && last.Kind == FabricCompletionKind.Write && last.Status == FabricStatus.Ok && last.Route == route)
            {
                last.Count++;
                return;
            }
        }

        Add(FabricCompletionKind.Write, context, route, status);
    }

    public void AddMessage(ulong context, int route, FabricStatus status) => Add(FabricCompletionKind.MessageSent, context, route, status);

    public void Take(Span<FabricCompletion> completions)
    {
        for (int i = 0; i < completions.Length; i++)
            completions[i] = _entries[(_head + i) & _mask];
        _head = (_head + completions.Length) & _mask;
        _count -= completions.Length;
    }

    private void Add(FabricCompletionKind kind, ulong context, int route, FabricStatus status)
    {
        _entries[(_head + _count++) & _mask] = new FabricCompletion
        {
            Kind = kind,
            Status = status,
            Route = route,
            Context = context,
            Count = 1,
        };
    }
}
