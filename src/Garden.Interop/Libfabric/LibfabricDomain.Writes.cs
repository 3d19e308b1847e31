using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>Writes: into a slot, to the provider, to their end.</summary>
internal sealed unsafe partial class LibfabricDomain
{
    /// <inheritdoc/>
    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            int posted = 0;
            while (posted < writes.Length)
            {
                posted += PostReady(writes[posted..]);
                if (posted == writes.Length || !TryAccept(in writes[posted]))
                    break;
                posted++;
            }

            return posted;
        }
    }

    /// <summary>
    /// The hot loop: writes like the first one, over the same route and between the same regions, as long as nothing stands in their way and
    /// the provider takes them. What they have in common is looked at once; whatever else there is, <see cref="TryAccept"/> sees.
    /// </summary>
    private int PostReady(ReadOnlySpan<FabricWrite> writes)
    {
        int index = writes[0].Route;
        ulong localKey = writes[0].LocalKey, remoteKey = writes[0].RemoteKey;
        LibfabricRoute? route = FindRoute(index);
        if (_failed
            || route is null
            || route.HasFailed
            || route.WaitingWrites.Count != 0
            || (_traits.AnnouncesRevocations && !route.HasWritten)
            || !_regions.TryFind(localKey, out ulong start, out ulong size, out void* descriptor)
            || (route.Peer.RevokedKeys is { } revoked && revoked.Contains(remoteKey)))
        {
            return 0;
        }

        PeerNic peer = route.Peer;
        WriteArguments* arguments = _arguments;
        arguments->Descriptor = descriptor;
        arguments->Remote.key = remoteKey;
        arguments->Message.addr = peer.FiAddress;
        ulong always = _writeFlags, most = (ulong)Capabilities.MaxWriteLength;
        long room = _traits.MaxBytesInFlight - peer.BytesInFlight, bytes = 0;
        bool idle = peer.InFlight == 0;
        fid_ep* endpoint = _nic.Ep;
        int posted = 0;
        for (; posted < writes.Length; posted++)
        {
            ref readonly FabricWrite write = ref writes[posted];
            ulong length = (ulong)write.Length, offset = write.LocalAddress - start;
            // None and a negative length are huge ones here.
            if (length - 1 >= most
                || write.Route != index
                || write.LocalKey != localKey
                || write.RemoteKey != remoteKey
                || offset > size
                || length > size - offset
                || write.RemoteAddress + length < write.RemoteAddress
                || ((long)length > room - bytes && !(idle && posted == 0)))
            {
                break;
            }

            int slot = _writes.TryTake(route, write.Context, write.Length);
            if (slot < 0)
                break;
            arguments->Local.iov_base = (void*)write.LocalAddress;
            arguments->Local.iov_len = (nuint)length;
            arguments->Remote.addr = write.RemoteAddress;
            arguments->Remote.len = (nuint)length;
            arguments->Message.context = _writes.ContextOf(slot);
            arguments->Message.data = write.Immediate;
            ulong flags = always;
            if (write.Immediate != 0)
                flags |= FI.FI_REMOTE_CQ_DATA;
            if (Calls.fi_writemsg(endpoint, &arguments->Message, flags) != 0)
            {
                _writes.Return(slot);
                break;
            }

            bytes += (long)length;
        }

        peer.InFlight += posted;
        peer.BytesInFlight += bytes;
        return posted;
    }

    /// <summary>Takes any one write: to the provider, behind those that wait, or to its end. False when there is no room for it.</summary>
    private bool TryAccept(in FabricWrite write)
    {
        LibfabricRoute? route = FindRoute(write.Route);
        FabricStatus status = Check(in write, route, out void* descriptor);
        if (status != FabricStatus.Ok)
        {
            if (_writes.InUse + _backlog.Count >= _tuning.QueueDepth)
                return false;
            Report(FabricCompletionKind.Write, write.Context, write.Route, status, 0);
            return true;
        }

        if (_traits.AnnouncesRevocations && !route!.IsIntroduced)
        {
            // Nobody writes before it has said so: it would not be told of a key's end.
            route.IsIntroduced = TryStart(FrameKind.Introduction, route, [], 0);
            if (!route.IsIntroduced)
                return false;
        }

        int slot = _writes.TryTake(route!, write.Context, write.Length);
        if (slot < 0)
            return false;
        // Behind what waits already, so that the order stays.
        if (route!.WaitingWrites.Count == 0 && TryWrite(slot, in write, route, descriptor))
            return true;
        _writes.Waiting(slot) = write;
        route.WaitingWrites.Enqueue(slot);
        Wait(route);
        return true;
    }

    /// <summary>What can be known before the provider sees a write.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FabricStatus Check(in FabricWrite write, LibfabricRoute? route, out void* descriptor)
    {
        descriptor = null;
        if (_failed)
            return FabricStatus.NicDown;
        if (route is null || route.HasFailed)
            return FabricStatus.RouteDown;
        if (write.Length == 0)
            return FabricStatus.Ok;
        // A negative length is a huge one here.
        if ((ulong)write.Length > (ulong)Capabilities.MaxWriteLength)
            return FabricStatus.ProviderError;
        if (!_regions.TryFind(write.LocalKey, write.LocalAddress, (ulong)write.Length, out descriptor))
            return FabricStatus.LocalAccess;
        if (route.Peer.RevokedKeys is { } revoked && revoked.Contains(write.RemoteKey))
            return FabricStatus.RemoteAccess;
        // No region reaches past the end of the address space; a provider's own check may wrap around.
        return write.RemoteAddress + (ulong)write.Length < write.RemoteAddress ? FabricStatus.RemoteAccess : FabricStatus.Ok;
    }

    /// <summary>Hands a slot's write to the provider; false when it takes none now. One it refuses for good is reported here.</summary>
    private bool TryWrite(int slot, in FabricWrite write, LibfabricRoute route, void* descriptor)
    {
        PeerNic peer = route.Peer;
        if (_traits.AnnouncesRevocations && !route.HasWritten && route.WaitingMessages.Count != 0)
            return false;
        if (peer.InFlight != 0 && write.Length > _traits.MaxBytesInFlight - peer.BytesInFlight)
            return false;
        WriteArguments* arguments = _arguments;
        arguments->Local.iov_base = (void*)write.LocalAddress;
        arguments->Local.iov_len = (nuint)write.Length;
        arguments->Descriptor = descriptor;
        arguments->Remote.addr = write.RemoteAddress;
        arguments->Remote.len = (nuint)write.Length;
        arguments->Remote.key = write.RemoteKey;
        if (write.Length == 0)
        {
            // Providers check the target of an empty write too: it goes to the region the peer's address names.
            arguments->Local.iov_base = _signal.Pointer;
            arguments->Descriptor = _signalDescriptor;
            arguments->Remote.addr = peer.Address.SignalBase;
            arguments->Remote.key = peer.Address.SignalKey;
        }

        arguments->Message.addr = peer.FiAddress;
        arguments->Message.context = _writes.ContextOf(slot);
        arguments->Message.data = write.Immediate;
        ulong flags = _writeFlags;
        if (write.Immediate != 0)
            flags |= FI.FI_REMOTE_CQ_DATA;
        nint result = Calls.fi_writemsg(_nic.Ep, &arguments->Message, flags);
        if (result == 0)
        {
            route.HasWritten = true;
            peer.InFlight++;
            peer.BytesInFlight += write.Length;
            return true;
        }

        if (result == -FI.FI_EAGAIN)
            return false;
        Report(FabricCompletionKind.Write, write.Context, route.Index, LibfabricErrors.StatusOf((int)-result), (int)-result);
        _writes.Return(slot);
        return true;
    }

    private bool FlushWrites(LibfabricRoute route)
    {
        while (route.WaitingWrites.TryPeek(out int slot))
        {
            ref readonly FabricWrite write = ref _writes.Waiting(slot);
            FabricStatus status = Check(in write, route, out void* descriptor);
            if (status != FabricStatus.Ok)
            {
                Report(FabricCompletionKind.Write, write.Context, route.Index, status, 0);
                _writes.Return(slot);
            }
            else if (!TryWrite(slot, in write, route, descriptor))
            {
                return false;
            }

            route.WaitingWrites.Dequeue();
        }

        return true;
    }

    /// <summary>A write the provider had has ended badly.</summary>
    private void EndWrite(int slot, FabricStatus status, int code)
    {
        LibfabricRoute route = _writes.RouteOf(slot);
        Report(FabricCompletionKind.Write, _writes[slot].Context, route.Index, status, code);
        Retire(slot, route.Peer);
    }

    private void Retire(int slot, PeerNic peer)
    {
        long bytes = _writes[slot].Length;
        _writes.Return(slot);
        Retire(peer, 1, bytes);
    }

    private void Retire(PeerNic peer, int writes, long bytes)
    {
        peer.InFlight -= writes;
        peer.BytesInFlight = Math.Max(0, peer.BytesInFlight - bytes);
        peer.Ended += writes;
        if (peer.References == 0)
            ForgetIfUnused(peer);
    }

    private void PrepareArguments()
    {
        _arguments->Message.msg_iov = &_arguments->Local;
        _arguments->Message.desc = &_arguments->Descriptor;
        _arguments->Message.iov_count = 1;
        _arguments->Message.rma_iov = &_arguments->Remote;
        _arguments->Message.rma_iov_count = 1;
    }

    /// <summary>The arguments of fi_writemsg, which point at each other; filled anew for each write.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct WriteArguments
    {
        public fi_msg_rma Message;
        public iovec Local;
        public fi_rma_iov Remote;
        public void* Descriptor;
    }
}
