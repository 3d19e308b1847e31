using System.Collections.Concurrent;

namespace Garden.KvCache;

/// <summary>Registered memory the tails are sent from. A slot comes back when its job has drained; otherwise it is not used again.</summary>
internal sealed class KvTailSlots : IAsyncDisposable
{
    private readonly int _slotLength;
    private readonly TimeSpan _deadline;
    private readonly NativeBuffer _buffer;
    private readonly MemoryRegion _region;
    private readonly ConcurrentStack<int> _free = new();
    private readonly SemaphoreSlim _available;

    public KvTailSlots(TransferEngine engine, KvPrefillerOptions options)
    {
        _slotLength = Math.Max(1, options.MaxTailLength);
        _deadline = options.DrainDeadline;
        _buffer = new NativeBuffer((long)_slotLength * options.TailSlots);
        _region = engine.Register(_buffer, options.Device);
        for (int slot = options.TailSlots - 1; slot >= 0; slot--)
            _free.Push(slot);
        _available = new SemaphoreSlim(options.TailSlots);
    }

    /// <summary>Copies a tail into a free slot, waiting for one; −1 when there is nothing to copy.</summary>
    public async ValueTask<int> RentAsync(ReadOnlyMemory<byte> tail, CancellationToken cancellationToken)
    {
        if (tail.IsEmpty)
            return -1;
        try
        {
            if (!await _available.WaitAsync(_deadline, cancellationToken).ConfigureAwait(false))
                throw new TimeoutException($"No tail slot became free within {_deadline.TotalSeconds:0.###} s; raise KvPrefillerOptions.TailSlots.");
        }
        catch (OperationCanceledException)
        {
            // The job was stopped while it waited; it says so itself with a better reason.
            return -1;
        }

        _free.TryPop(out int slot);
        tail.Span.CopyTo(_buffer.Span((long)slot * _slotLength, tail.Length));
        return slot;
    }

    /// <summary>The last write of a job. Without a tail it carries the immediate alone.</summary>
    public SingleWrite Write(int slot, int length, RemoteRegion destination, KvRequestBody body) =>
        slot < 0
            ? new SingleWrite(default, 0, destination.Handle, 0, 0, body.Immediate)
            : new SingleWrite(_region.Handle, (long)slot * _slotLength, destination.Handle, body.TailOffset, length, body.Immediate);

    public void Return(int slot)
    {
        if (slot < 0)
            return;
        _free.Push(slot);
        _available.Release();
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _region.DisposeAsync().ConfigureAwait(false);
            _buffer.Dispose();
        }
        catch (TimeoutException)
        {
            // A NIC may still read the buffer: leaking it is the safe end.
            GC.SuppressFinalize(_buffer);
        }

        _available.Dispose();
    }
}
