using System.Threading.Channels;
using Garden;
using Garden.Samples;

namespace KvStreaming;

/// <summary>
/// Where the tails arrive: a slot per request in flight, each between guards. A tail is a hidden state, and behind it the moment at which the
/// last layer was computed.
/// </summary>
internal sealed class TailBuffer : IAsyncDisposable
{
    private const int GuardBytes = 256;
    private readonly Channel<int> _free = Channel.CreateUnbounded<int>();
    private readonly NativeBuffer _buffer;

    public TailBuffer(TransferEngine engine, int tailBytes, int slots)
    {
        TailBytes = tailBytes;
        _buffer = new NativeBuffer((long)slots * (Length + (2 * GuardBytes)));
        Region = engine.Register(_buffer);
        for (int slot = 0; slot < slots; slot++)
            _free.Writer.TryWrite(slot);
    }

    public MemoryRegion Region { get; }

    /// <summary>Bytes of the hidden state.</summary>
    public int TailBytes { get; }

    /// <summary>Bytes of a whole tail.</summary>
    public int Length => TailBytes + ClockStamp.Length;

    public long OffsetOf(int slot) => ((long)slot * (Length + (2 * GuardBytes))) + GuardBytes;

    public ClockStamp StampOf(int slot) => ClockStamp.Read(Whole(slot).Slice(GuardBytes + TailBytes, ClockStamp.Length));

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
        bool guarded = !whole[..GuardBytes].ContainsAnyExcept(KvPattern.Poison) && !whole[(GuardBytes + Length)..].ContainsAnyExcept(KvPattern.Poison);
        return guarded ? null : $"request {request}, tail: a guard byte beside it was written to";
    }

    public async ValueTask DisposeAsync()
    {
        await Region.DisposeAsync();
        _buffer.Dispose();
    }

    private Span<byte> Whole(int slot) => _buffer.Span(OffsetOf(slot) - GuardBytes, Length + (2 * GuardBytes));
}
