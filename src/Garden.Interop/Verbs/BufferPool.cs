using System.Runtime.InteropServices;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Buffers of one length in one registration.</summary>
internal sealed unsafe class BufferPool : IDisposable
{
    private readonly byte* _buffers;
    private readonly long _stride;
    private readonly ibv_mr* _registration;

    public BufferPool(ibv_pd* pd, int count, int length, string where)
    {
        Count = count;
        Length = length;
        _stride = (length + 63L) & ~63L;
        nuint bytes = (nuint)(count * _stride);
        _buffers = (byte*)NativeMemory.AlignedAlloc(bytes, 4096);
        NativeMemory.Clear(_buffers, bytes);
        _registration = Imports.ibv_reg_mr_iova2(pd, _buffers, bytes, (ulong)_buffers, IBV.IBV_ACCESS_LOCAL_WRITE);
        if (_registration is not null)
            return;
        int error = Marshal.GetLastPInvokeError();
        NativeMemory.AlignedFree(_buffers);
        VerbsErrors.Check(error, $"ibv_reg_mr ({bytes} bytes of buffers)", where);
    }

    public int Count { get; }

    public int Length { get; }

    // Safe: callers pass an index below Count.
    public byte* this[int index] => _buffers + (index * _stride);

    public ibv_sge PieceOf(int index, int length) => new() { addr = (ulong)this[index], length = (uint)length, lkey = _registration->lkey };

    public void Dispose()
    {
        // What the device still knows it may still write to: then the buffers stay.
        if (Imports.ibv_dereg_mr(_registration) == 0)
            NativeMemory.AlignedFree(_buffers);
    }
}
