using System.Runtime.CompilerServices;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Another process's allocation, opened in this one. Opened once for all buffers inside it, closed with the last.</summary>
internal sealed class CudaIpcMapping
{
    private static readonly Lock s_lock = new();
    private static readonly Dictionary<Key, CudaIpcMapping> s_open = [];
    private readonly Key _key;
    private readonly CudaContext _context;
    private int _users = 1;

    private CudaIpcMapping(Key key, CudaContext context, nint address)
    {
        _key = key;
        // The mapping is closed in its context, whose address is part of the key: as long as it is open no other context has that.
        bool held = false;
        context.DangerousAddRef(ref held);
        _context = context;
        Address = address;
    }

    public nint Address { get; }

    public static CudaIpcMapping Open(CudaDevice device, IpcMemoryHandle handle)
    {
        var key = new Key(handle.ProcessId, handle.ProcessStart, handle.AllocationId, device.Context.DangerousGetHandle());
        lock (s_lock)
        {
            if (s_open.TryGetValue(key, out CudaIpcMapping? open))
            {
                open._users++;
                return open;
            }

            CUipcMemHandle native = default;
            handle.Handle.Span.CopyTo(native.reserved);
            using CudaContext.Scope scope = device.Context.Enter();
            LibCuda.Check(LibCuda.cuIpcOpenMemHandle(out nint address, native, LibCuda.CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
            open = new CudaIpcMapping(key, device.Context, address);
            s_open.Add(key, open);
            return open;
        }
    }

    public void Release()
    {
        lock (s_lock)
        {
            if (--_users != 0)
                return;
            s_open.Remove(_key);
            try
            {
                using CudaContext.Scope scope = _context.Enter();
                KernelMetrics.CountRelease(LibCuda.cuIpcCloseMemHandle(Address));
            }
            finally
            {
                _context.DangerousRelease();
            }
        }
    }

    private readonly record struct Key(int Process, ulong Start, ulong Allocation, nint Context);
}
