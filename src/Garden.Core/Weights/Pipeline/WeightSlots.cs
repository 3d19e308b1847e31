using System.Threading.Channels;

namespace Garden.Weights;

/// <summary>Registered memory in equal slots. Taking one waits until one is free: what is under way never exceeds this memory.</summary>
internal sealed class WeightSlots : IAsyncDisposable
{
    private readonly Channel<int> _free;
    private readonly IWeightMemory _memory;

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

        _free = Channel.CreateBounded<int>(count);
        for (int i = 0; i < count; i++)
            _free.Writer.TryWrite(i);
    }

    public int Count { get; }

    public long SlotBytes { get; }

    public MemoryRegion Region { get; }

    public long OffsetOf(int slot) => slot * SlotBytes;

    /// <summary>The slot's memory, <see cref="SlotBytes"/> of it.</summary>
    public nint AddressOf(int slot) => _memory.Address + (nint)OffsetOf(slot);

    public ValueTask<int> RentAsync(CancellationToken cancellationToken) => _free.Reader.ReadAsync(cancellationToken);

    public void Return(int slot) => _free.Writer.TryWrite(slot);

    public async ValueTask DisposeAsync()
    {
        await Region.DisposeAsync().ConfigureAwait(false);
        _memory.Dispose();
    }
}
