using System.Threading.Channels;
using Garden;
using Garden.Samples;

namespace KvStreaming;

/// <summary>Where the tails (hidden states) arrive: a slot per request in flight, each between guards.</summary>
internal sealed class TailBuffer : IAsyncDisposable
{
    private const int GuardBytes = 256;
    private readonly Channel<int> _free = Channel.CreateUnbounded<int>();
    private readonly NativeBuffer _buffer;

    public TailBuffer(TransferEngine engine, int tailBytes, int slots)
    {
        TailBytes = tailBytes;
        _buffer = new NativeBuffer((long)slots * (tailBytes + (2 * GuardBytes)));
        Region = engine.Register(_buffer);
        for (int slot = 0; slot < slots; slot++)
            _free.Writer.TryWrite(slot);
    }

    public MemoryRegion Region { get; }

    public int TailBytes { get; }

    public long OffsetOf(int slot) => ((long)slot * (TailBytes + (2 * GuardBytes))) + GuardBytes;

    /// <summary>Waits for a free slot and poisons it.</summary>
    public async ValueTask<int> RentAsync(CancellationToken cancellationToken)
    {
        int slot = await _free.Reader.ReadAsync(cancellationToken);
        Whole(slot).Fill(KvPattern.Poison);
        return slot;
    }

    public void Return(int slot) => _free.Writer.TryWrite(slot);

    public string? Verify(int slot, ulong key, int request)
    {
        Span<byte> whole = Whole(slot);
        int at = KvPattern.FirstDifference(whole.Slice(GuardBytes, TailBytes), key);
        if (at >= 0)
            return $"request {request}, tail: byte {at} holds 0x{whole[GuardBytes + at]:x2}";
        bool guarded = !whole[..GuardBytes].ContainsAnyExcept(KvPattern.Poison) && !whole[(GuardBytes + TailBytes)..].ContainsAnyExcept(KvPattern.Poison);
        return guarded ? null : $"request {request}, tail: a guard byte beside it was written to";
    }

    public async ValueTask DisposeAsync()
    {
        await Region.DisposeAsync();
        _buffer.Dispose();
    }

    private Span<byte> Whole(int slot) => _buffer.Span(OffsetOf(slot) - GuardBytes, TailBytes + (2 * GuardBytes));
}
