using System.Runtime.InteropServices;

namespace Garden.Fabric.Loopback;

/// <summary>Tells other threads when one sender is copying, so that a revocation can wait for it without a lock per write.</summary>
/// <remarks>
/// Protocol. The sequence is odd while its owner, one thread, reads revocable state (keys, route and NIC states) and copies.
/// Enter: store odd, full fence, then read that state. Exit: release-store even, so the copies are seen before it.
/// Revoke (any thread): store the new state, full fence, then read the sequence; when it is odd, wait until it changes.
/// Either the owner's reads see the new state or the revoker sees the odd sequence. A section copies at most
/// <see cref="MostBytes"/>, which bounds the wait to one such memcpy plus preemption. User code is never called inside.
/// </remarks>
internal sealed class DeliverySection
{
    /// <summary>The most bytes copied in one section: some 100 µs of memcpy, while entering costs some 10 ns.</summary>
    public const long MostBytes = 1 << 20;

    private PaddedSequence _padded;

    public void Enter()
    {
        Volatile.Write(ref _padded.Value, _padded.Value + 1);
        Interlocked.MemoryBarrier();
    }

    public void Exit() => Volatile.Write(ref _padded.Value, _padded.Value + 1);

    /// <summary>Waits for the section that may be running now. The caller has stored what later ones must see.</summary>
    public void WaitForExit()
    {
        Interlocked.MemoryBarrier();
        long seen = Volatile.Read(ref _padded.Value);
        if ((seen & 1) == 0)
            return;
        var spin = default(SpinWait);
        while (Volatile.Read(ref _padded.Value) == seen)
            spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>A cache line to itself on both sides: adjacent-line prefetch pairs lines on x64.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct PaddedSequence
    {
        [FieldOffset(128)]
        public long Value;
    }
}
