using System.Runtime.InteropServices;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>The buffers posted for messages of peers.</summary>
internal sealed unsafe class ReceiveBuffers : IDisposable
{
    private readonly long _stride;
    private readonly byte* _buffers;
    private readonly fi_context2* _contexts;
    private readonly Buffer[] _states;

    public ReceiveBuffers(int count, int length)
    {
        Length = length;
        _stride = (length + 63L) & ~63L;
        Bytes = count * _stride;
        _buffers = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 4096);
        _contexts = (fi_context2*)NativeMemory.AlignedAlloc((nuint)count * (nuint)sizeof(fi_context2), 64);
        _states = new Buffer[count];
    }

    public int Count => _states.Length;

    public int Length { get; }

    /// <summary>All buffers, for registering them.</summary>
    public byte* Buffers => _buffers;

    /// <summary>Length of <see cref="Buffers"/>.</summary>
    public long Bytes { get; }

    public ref Buffer this[int index] => ref _states[index];

    public byte* BufferOf(int index) => _buffers + (index * _stride);

    public fi_context2* ContextOf(int index) => _contexts + index;

    /// <summary>The buffer whose context an operation has, −1 when it is not one of these.</summary>
    public int IndexOf(void* context)
    {
        nuint offset = (nuint)context - (nuint)_contexts;
        return offset < (nuint)_states.Length * (nuint)sizeof(fi_context2) ? (int)(offset / (nuint)sizeof(fi_context2)) : -1;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_buffers);
        NativeMemory.AlignedFree(_contexts);
    }

    /// <summary>State of one buffer.</summary>
    public struct Buffer
    {
        /// <summary>True while the engine has it.</summary>
        public bool IsLent;

        /// <summary>Who sent what is in it.</summary>
        public PeerNic? Sender;

        /// <summary>The sender's name for it.</summary>
        public uint Token;
    }
}
