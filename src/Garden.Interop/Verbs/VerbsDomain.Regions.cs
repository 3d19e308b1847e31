using Garden.Fabric;
using Garden.Interop.Cuda;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Memory registration. Pinning takes long, so it happens outside of the domain's lock.</summary>
internal sealed unsafe partial class VerbsDomain
{
    /// <summary>In a region's descriptor, above the 32 bits of its key: the processor may read the source, so it may travel inline.</summary>
    private const ulong HostMemory = 1UL << 32;

    /// <summary>
    /// Registrations so far. Above the 32 bits of a device's key, so that a number which the device gives out again is another key: peers
    /// refuse those that have ended by the whole.
    /// </summary>
    private uint _registrations;

    /// <summary>Set once, before the first peer can know the key of a region that needs it.</summary>
    private volatile RemoteWriteFlush? _flush;

    /// <summary>For tests: a flush as device memory would need it.</summary>
    internal RemoteWriteFlush? Flush { set => _flush = value; }

    /// <inheritdoc/>
    public RegionKeys Register(nint address, long length, MemoryKind kind)
    {
        if (address == 0 || length <= 0)
            throw new FabricException($"A region has an address and at least 1 byte; got 0x{address:x} and {length} bytes.");
        bool held = false;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            // The device stays open until this is done.
            _nic.PdHandle.DangerousAddRef(ref held);
        }

        ibv_mr* registration = null;
        try
        {
            registration = kind == MemoryKind.Host ? RegisterHost(address, length) : RegisterDevice(address, length, kind);
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                ulong descriptor = registration->lkey | (kind == MemoryKind.Host ? HostMemory : 0);
                ulong key = registration->rkey | ((ulong)++_registrations << 32);
                return new RegionKeys(_regions.Add(registration, (void*)descriptor, address, length), key, (ulong)address);
            }
        }
        catch
        {
            if (registration is not null)
                _ = Imports.ibv_dereg_mr(registration);
            throw;
        }
        finally
        {
            _nic.PdHandle.DangerousRelease();
        }
    }

    /// <summary>Registrations that the device did not end when it was told to, by the region's key.</summary>
    private readonly Dictionary<ulong, nint> _stuck = [];

    /// <summary>For tests: what the device answers when a registration is to end, in its place.</summary>
    internal Func<int>? Refuses { get; set; }

    /// <inheritdoc/>
    public void Unregister(RegionKeys keys)
    {
        VerbsRevocation? revocation = null;
        lock (_gate)
        {
            if (_disposed || (!_regions.Contains(keys.LocalKey) && !_stuck.ContainsKey(keys.LocalKey)))
                return;
            if (!_stuck.ContainsKey(keys.LocalKey))
                revocation = Announce(keys.RemoteKey);
        }

        if (revocation is not null)
            Await(revocation);
        ibv_mr* registration;
        bool held = false;
        lock (_gate)
        {
            if (_disposed)
                return;
            registration = (ibv_mr*)_regions.Remove(keys.LocalKey);
            if (registration is null && _stuck.Remove(keys.LocalKey, out nint stuck))
                registration = (ibv_mr*)stuck;
            if (registration is null)
                return;
            _nic.PdHandle.DangerousAddRef(ref held);
        }

        // The device finishes what it is placing before this returns, and refuses what comes later.
        int error = Refuses?.Invoke() ?? Imports.ibv_dereg_mr(registration);
        if (error != 0)
        {
            lock (_gate)
                _stuck[keys.LocalKey] = (nint)registration;
        }

        _nic.PdHandle.DangerousRelease();
        VerbsErrors.Check(error, "ibv_dereg_mr", $"a region with {_nic.Port}, which may still be written to");
    }

    private uint Access => IBV.IBV_ACCESS_LOCAL_WRITE | IBV.IBV_ACCESS_REMOTE_WRITE | (_options.RelaxedOrdering ? IBV.IBV_ACCESS_RELAXED_ORDERING : 0u);

    private ibv_mr* RegisterHost(nint address, long length)
    {
        PagePresence.Ensure(address, length, _options.RegistrationThreads, _options.Progress);
        ibv_mr* registration = Imports.ibv_reg_mr_iova2(_nic.Pd, (void*)address, (nuint)length, (ulong)address, Access);
        VerbsErrors.Check(registration, "ibv_reg_mr", $"{length} bytes of {MemoryKind.Host} memory with {_nic.Port}");
        return registration;
    }

    private ibv_mr* RegisterDevice(nint address, long length, MemoryKind kind)
    {
        VerbsLibrary.Require(nameof(Imports.ibv_reg_dmabuf_mr), "34");
        if (RemoteWriteFlush.For(address) is { } flush)
        {
            if (_flush is { } other && other.Context != flush.Context)
                throw new FabricException($"{_nic.Port} already serves device memory of another CUDA context; one NIC serves one GPU where arrivals must be flushed.");
            _flush = flush;
        }

        using DmaBuffer buffer = DmaBuffer.Export(address, length);
        ibv_mr* registration = Imports.ibv_reg_dmabuf_mr(_nic.Pd, buffer.Offset, (nuint)length, (ulong)address, buffer.Descriptor, (int)Access);
        VerbsErrors.Check(registration, "ibv_reg_dmabuf_mr", $"{length} bytes of {kind} memory with {_nic.Port}");
        return registration;
    }
}
