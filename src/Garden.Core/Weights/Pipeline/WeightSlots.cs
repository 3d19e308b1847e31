using System.Threading.Channels;

namespace Garden.Weights;

/// <summary>
/// Registered memory in equal slots. Taking one waits until one is free: what is under way never exceeds this memory. A slot that another
/// rank or a NIC may still use is given back as lost, and is free again under new keys.
/// </summary>
internal sealed class WeightSlots : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<int> _lost = [];
    private readonly IWeightMemory _memory;
    private Channel<int> _free;

    public WeightSlots(TransferEngine engine, IWeightDevice device, int count, long slotBytes, int engineDevice)
    {
        SlotBytes = slotBytes;
        Count = count;
        _memory = device.Allocate(checked(count * slotBytes));
        try
        {
            Region = engine.Register(_memory.Address, _memory.Length, device.Kind, engineDevice);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }

        _free = Free(Enumerable.Range(0, count));
    }

    public int Count { get; }

    public long SlotBytes { get; }

    public MemoryRegion Region { get; }

    /// <summary>True when nobody else can touch the memory: no slot is lost.</summary>
    public bool IsWhole
    {
        get
        {
            lock (_lock)
                return _lost.Count == 0;
        }
    }

    public long OffsetOf(int slot) => slot * SlotBytes;

    /// <summary>The slot's memory, <see cref="SlotBytes"/> of it.</summary>
    public nint AddressOf(int slot) => _memory.Address + (nint)OffsetOf(slot);

    /// <exception cref="TimeoutException">All slots are lost.</exception>
    public async ValueTask<int> RentAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await Volatile.Read(ref _free).Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException exception)
        {
            throw new TimeoutException($"The transfers of all {Count} slots of working memory have not drained.", exception);
        }
    }

    public void Return(int slot) => Volatile.Read(ref _free).Writer.TryWrite(slot);

    /// <summary>Gives back a slot that somebody may still read or write.</summary>
    public void Lose(int slot)
    {
        lock (_lock)
        {
            _lost.Add(slot);
            // Nobody would return one any more to those who wait.
            if (_lost.Count == Count)
                _free.Writer.TryComplete();
        }
    }

    /// <summary>Frees lost slots: drains what reads them, and makes the keys that other ranks have worthless. No slot may be in use.</summary>
    /// <exception cref="TimeoutException">Something still reads them; they stay lost.</exception>
    public async Task RenewAsync(TimeSpan deadline)
    {
        if (IsWhole)
            return;
        await Region.RenewAsync(deadline, CancellationToken.None).ConfigureAwait(false);
        lock (_lock)
        {
            if (_lost.Count == Count)
                Volatile.Write(ref _free, Free(_lost));
            else
                _lost.ForEach(Return);
            _lost.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Region.DisposeAsync().ConfigureAwait(false);
        _memory.Dispose();
    }

    private Channel<int> Free(IEnumerable<int> slots)
    {
        var free = Channel.CreateBounded<int>(Count);
        foreach (int slot in slots)
            free.Writer.TryWrite(slot);
        return free;
    }
}
