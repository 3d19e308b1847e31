using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Perf.Fabric;

/// <summary>An endpoint of a libfabric provider, opened as the engine opens it: a loop over fi_writemsg and fi_cq_read.</summary>
internal sealed unsafe class LibfabricEnd : RawEnd
{
    private const int EntriesPerRead = 64;

    private readonly LibfabricDomain _domain;
    private readonly fid_ep* _ep;
    private readonly fid_cq* _cq;
    private readonly fid_mr* _mr;
    private readonly byte* _local;
    private readonly ulong _remoteBase;
    private readonly ulong _flags;
    private readonly fi_context2* _contexts;
    private readonly int[] _free;
    private readonly fi_cq_data_entry* _entries;
    private readonly Arguments* _arguments;
    private int _freeCount;
    private ulong _peer;
    private ulong _peerBase;
    private ulong _peerKey;

    public LibfabricEnd(IFabric fabric, NativeBuffer memory, int depth)
    {
        _domain = (LibfabricDomain)fabric.Open(new FabricOpenContext(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)), 0, new NoSignal()))[0];
        _ep = _domain.Native.Ep;
        _cq = _domain.Native.Cq;
        _flags = FI.FI_COMPLETION | FI.FI_REMOTE_CQ_DATA | _domain.Traits.WriteFlags;
        _local = memory.Pointer;
        _mr = _domain.RegisterNative((nint)_local, memory.Length, MemoryKind.Host);
        _remoteBase = _domain.RemoteBaseOf((nint)_local);
        _contexts = (fi_context2*)NativeMemory.AlignedAlloc((nuint)depth * (nuint)sizeof(fi_context2), 64);
        _entries = (fi_cq_data_entry*)NativeMemory.AlignedAlloc(EntriesPerRead * (nuint)sizeof(fi_cq_data_entry), 64);
        _arguments = (Arguments*)NativeMemory.AlignedAlloc((nuint)sizeof(Arguments), 64);
        *_arguments = default;
        _arguments->Message.msg_iov = &_arguments->Local;
        _arguments->Message.desc = &_arguments->Descriptor;
        _arguments->Message.iov_count = 1;
        _arguments->Message.rma_iov = &_arguments->Remote;
        _arguments->Message.rma_iov_count = 1;
        _arguments->Message.data = 1;
        _arguments->Descriptor = _mr->mem_desc;
        _free = [.. Enumerable.Range(0, depth)];
        _freeCount = depth;
    }

    /// <summary>What the other end needs, in this process or in another.</summary>
    public RawAddress Address => new(_domain.Address, _remoteBase, _mr->key);

    public override void Connect(RawEnd end) => Connect(((LibfabricEnd)end).Address);

    /// <inheritdoc cref="Connect(RawEnd)"/>
    public void Connect(RawAddress other)
    {
        LibfabricAddress address = LibfabricAddress.Parse(other.Endpoint, _domain.Traits.Attributes.AddressFormat);
        ulong peer;
        fixed (byte* native = address.Native)
        {
            if (Calls.fi_av_insert(_domain.Native.Av, native, &peer) != 1)
                throw new FabricException($"{other.Endpoint} was not taken.");
        }

        _peer = peer;
        _peerBase = other.Base;
        _peerKey = other.Key;
    }

    public override bool TryPost(long from, long to, long bytes, bool more)
    {
        if (_freeCount == 0)
            return false;
        int slot = _free[_freeCount - 1];
        Arguments* arguments = _arguments;
        // Safe: callers stay inside the memory both ends registered.
        arguments->Local.iov_base = _local + from;
        arguments->Local.iov_len = (nuint)bytes;
        arguments->Remote.addr = _peerBase + (ulong)to;
        arguments->Remote.len = (nuint)bytes;
        arguments->Remote.key = _peerKey;
        arguments->Message.addr = _peer;
        arguments->Message.context = _contexts + slot;
        nint result = Calls.fi_writemsg(_ep, &arguments->Message, _flags);
        if (result == 0)
        {
            _freeCount--;
            return true;
        }

        if (result != -FI.FI_EAGAIN)
            LibfabricErrors.Check(result, "fi_writemsg", "the raw loop");
        return false;
    }

    // One method with the loop in it, as the engine's: the runtime prepares a method's calls into native code once.
    public override long Post(Workload workload, ref WritePlace next, long most, bool last)
    {
        Arguments* arguments = _arguments;
        nuint bytes = (nuint)workload.Bytes;
        arguments->Local.iov_len = bytes;
        arguments->Remote.len = bytes;
        arguments->Remote.key = _peerKey;
        arguments->Message.addr = _peer;
        fid_ep* ep = _ep;
        ulong flags = _flags;
        WritePlace place = next;
        ReadOnlySpan<int> free = _free.AsSpan(0, _freeCount);
        if (most > free.Length)
            most = free.Length;
        long posted = 0;
        for (; posted < most; posted++)
        {
            // Safe: a workload's places are inside the memory both ends registered.
            arguments->Local.iov_base = _local + workload.SourceOffset(place);
            arguments->Remote.addr = _peerBase + (ulong)workload.DestinationOffset(place);
            arguments->Message.context = _contexts + free[free.Length - 1 - (int)posted];
            nint result = Calls.fi_writemsg(ep, &arguments->Message, flags);
            if (result != 0)
            {
                if (result != -FI.FI_EAGAIN)
                    LibfabricErrors.Check(result, "fi_writemsg", "the raw loop");
                break;
            }

            workload.Advance(ref place);
        }

        next = place;
        _freeCount -= (int)posted;
        return posted;
    }

    public override void Poll()
    {
        nint count = Calls.fi_cq_read(_cq, _entries, EntriesPerRead);
        if (count == -FI.FI_EAGAIN)
            return;
        if (count < 0)
            ThrowError();
        for (int i = 0; i < count; i++)
        {
            if ((_entries[i].flags & FI.FI_REMOTE_CQ_DATA) != 0)
            {
                Arrived++;
                continue;
            }

            _free[_freeCount++] = (int)((fi_context2*)_entries[i].op_context - _contexts);
            Ended++;
        }
    }

    public override void Dispose()
    {
        Calls.fi_close(&_mr->fid);
        _domain.Dispose();
        NativeMemory.AlignedFree(_contexts);
        NativeMemory.AlignedFree(_entries);
        NativeMemory.AlignedFree(_arguments);
    }

    private void ThrowError()
    {
        fi_cq_err_entry error = default;
        Calls.fi_cq_readerr(_cq, &error);
        LibfabricErrors.Check(-error.err, "a write", "the raw loop");
        throw new UnreachableException();
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public fi_msg_rma Message;
        public iovec Local;
        public fi_rma_iov Remote;
        public void* Descriptor;
    }

    /// <summary>Nothing parks here.</summary>
    private sealed class NoSignal : IWorkerSignal
    {
        public void Wake()
        {
        }
    }
}
