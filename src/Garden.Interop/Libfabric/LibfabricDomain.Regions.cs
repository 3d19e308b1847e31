using System.Security.Cryptography;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;
using Garden.Interop.Verbs;

namespace Garden.Interop.Libfabric;

/// <summary>Memory registration, the way the provider asks for it.</summary>
internal sealed unsafe partial class LibfabricDomain
{
    private const int KeyAttempts = 8;
    private const int MostRegistrationThreads = 8;

    /// <inheritdoc/>
    public RegionKeys Register(nint address, long length, MemoryKind kind)
    {
        if (address == 0 || length <= 0)
            throw new FabricException($"A region has an address and at least 1 byte; got 0x{address:x} and {length} bytes.");
        if (kind != MemoryKind.Host && !_traits.ReachesDeviceMemory)
            throw new FabricException($"{_where} cannot reach {kind} memory (it does not offer FI_HMEM); register host memory, or use a NIC and a libfabric built with device memory support (`fi_info -c FI_HMEM`).");
        // Outside the gate, where the worker goes on: absent pages are most of what pinning takes, and peers wait for heartbeats meanwhile.
        if (_traits.NeedsLocalDescriptors && kind == MemoryKind.Host)
            PagePresence.Ensure(address, length, Math.Min(Environment.ProcessorCount, MostRegistrationThreads), null);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_failed)
                throw new FabricException($"{_where} has failed; build a new engine to register memory with it.", FabricStatus.NicDown);
            fid_mr* mr = RegisterNative(address, length, kind);
            try
            {
                return new RegionKeys(_regions.Add(mr, mr->mem_desc, address, length), mr->key, RemoteBaseOf(address));
            }
            catch
            {
                Calls.fi_close(&mr->fid);
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public void Unregister(RegionKeys keys)
    {
        Revocation? revocation;
        lock (_gate)
        {
            if (_disposed || !_regions.Contains(keys.LocalKey))
                return;
            revocation = Announce(keys.RemoteKey);
        }

        if (revocation is not null)
            Await(revocation);
        lock (_gate)
        {
            // Landing happens in this domain's own calls alone, and the gate keeps them out: what comes later finds no key.
            fid_mr* mr = _disposed ? null : (fid_mr*)_regions.Remove(keys.LocalKey);
            if (mr is not null)
                Calls.fi_close(&mr->fid);
        }
    }

    internal ulong RemoteBaseOf(nint address) => _traits.UsesVirtualAddresses ? (ulong)address : 0;

    private void* RegisterOwn(byte* bytes, long length)
    {
        fid_mr* mr = RegisterNative((nint)bytes, length, MemoryKind.Host);
        _regions.Add(mr, mr->mem_desc, (nint)bytes, length);
        return mr->mem_desc;
    }

    /// <summary>Registers memory with the provider alone: the caller closes what it gets.</summary>
    internal fid_mr* RegisterNative(nint address, long length, MemoryKind kind)
    {
        var range = new iovec { iov_base = (void*)address, iov_len = (nuint)length };
        var attributes = new fi_mr_attr
        {
            mr_iov = &range,
            iov_count = 1,
            access = FI.FI_SEND | FI.FI_RECV | FI.FI_WRITE | FI.FI_REMOTE_WRITE,
            iface = kind == MemoryKind.Cuda ? FI.FI_HMEM_CUDA : FI.FI_HMEM_SYSTEM,
        };
        fid_mr* mr = null;
        int code = -FI.FI_ENOKEY;
        for (int i = 0; i < KeyAttempts && code == -FI.FI_ENOKEY; i++)
        {
            if (_traits.ChoosesKeys)
                attributes.requested_key = RandomKey(_traits.Attributes.KeyBytes);
            code = Calls.fi_mr_regattr(_nic.Domain, &attributes, 0, &mr);
        }

        LibfabricErrors.Check(code, "fi_mr_regattr", $"{length} bytes of {kind} memory with {_where}");
        if (!_traits.BindsRegions)
            return mr;
        try
        {
            LibfabricErrors.Check(Calls.fi_mr_bind(mr, &_nic.Ep->fid), "fi_mr_bind", _where);
            LibfabricErrors.Check(Calls.fi_mr_enable(mr), "fi_mr_enable", _where);
            return mr;
        }
        catch
        {
            Calls.fi_close(&mr->fid);
            throw;
        }
    }

    /// <summary>A key nobody guesses, not zero; shorter where the provider's keys are.</summary>
    private static ulong RandomKey(int bytes)
    {
        ulong key = 0;
        Span<byte> span = new(&key, Math.Clamp(bytes, 1, sizeof(ulong)));
        while (key == 0)
            RandomNumberGenerator.Fill(span);
        return key;
    }
}
