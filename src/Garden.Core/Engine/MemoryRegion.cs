using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Garden.Fabric;

namespace Garden;

/// <summary>Local memory registered with all NICs of one device: the source of writes, and a destination for peers.</summary>
public sealed class MemoryRegion : IAsyncDisposable
{
    private readonly TransferEngine _engine;
    private readonly Worker _worker;
    private readonly SemaphoreSlim _gate = new(1);

    /// <summary>By NIC: true when its key is revoked for sure.</summary>
    private readonly bool[] _isRevoked;
    private RegionKeys[] _keys;

    /// <summary>Only held: its finalizer would free the memory.</summary>
    private object? _owner;
    private Task? _revocation;
    private bool _unregistered;
    private int _revoked;

    internal MemoryRegion(TransferEngine engine, Worker worker, nint address, long length, MemoryKind kind, object? owner)
    {
        _engine = engine;
        _worker = worker;
        _owner = owner;
        _isRevoked = new bool[worker.Nics.Count];
        Address = address;
        Length = length;
        Kind = kind;
        _keys = Register();
        Handle = AddRow();
    }

    /// <summary>Address of the first byte.</summary>
    public nint Address { get; }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>Where the memory lives.</summary>
    public MemoryKind Kind { get; }

    /// <summary>The blittable name for plans.</summary>
    public RegionHandle Handle { get; private set; }

    /// <summary>Grows each time the region is registered again; descriptors of an earlier generation are refused by the fabric.</summary>
    public uint Generation { get; private set; } = 1;

    /// <summary>The device the region is registered with.</summary>
    public int Device => _worker.Device;

    /// <summary>What peers need to write to the whole region.</summary>
    /// <exception cref="ObjectDisposedException">The region was unregistered.</exception>
    public MemoryRegionDescriptor Export() => Export(0, Length);

    /// <summary>What peers need to write to a part of the region. The engine's bounds checks hold for the part; the fabric's key is the whole region's.</summary>
    /// <exception cref="PlanException">The part lies outside the region.</exception>
    /// <exception cref="ObjectDisposedException">The region was unregistered.</exception>
    public MemoryRegionDescriptor Export(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(_unregistered, this);
        if (offset < 0 || length < 0 || offset > Length - length)
            ThrowHelper.ThrowRange("the memory region", offset, length, Length);
        var routes = new RouteEntry[_keys.Length];
        for (int i = 0; i < routes.Length; i++)
            routes[i] = new RouteEntry(_worker.Address.Fabric, i, _keys[i].RemoteBase + (ulong)offset, _keys[i].RemoteKey);
        return new MemoryRegionDescriptor
        {
            EngineId = _engine.Id,
            Device = _worker.Device,
            Generation = Generation,
            Length = length,
            Kind = Kind,
            Routes = routes,
        };
    }

    /// <summary>
    /// Registers the memory again under new keys: descriptors exported before are refused from then on, and this engine's
    /// handles to it are stale. Running transfers from the region are drained first.
    /// </summary>
    /// <exception cref="TimeoutException">As for <see cref="UnregisterAsync"/>.</exception>
    /// <exception cref="FabricException">As for <see cref="UnregisterAsync"/>, or a NIC could not register the memory again: then the region is gone.</exception>
    public async ValueTask RenewAsync(TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_unregistered, this);
            await RevokeAsync(deadline, cancellationToken).ConfigureAwait(false);
            try
            {
                _keys = Register();
                Array.Clear(_isRevoked);
                _revocation = null;
                _revoked = 0;
                Generation++;
                Handle = AddRow();
            }
            catch
            {
                // Neither the old keys nor new ones: the region is gone.
                End();
                throw;
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>
    /// Ends the registration: new transfers from the region are refused at once, running ones are drained, then no peer's write
    /// lands in it any more and the memory may be freed. When it throws the memory must stay; calling again goes on.
    /// </summary>
    /// <exception cref="TimeoutException">Transfers from the region did not drain in time, and it stays registered; or they did and it is revoked, but writes of peers did not end in time. The message says which.</exception>
    /// <exception cref="FabricException">The region is revoked, but a NIC could not show that no write lands in it any more.</exception>
    public async ValueTask UnregisterAsync(TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_unregistered)
                return;
            await RevokeAsync(deadline, cancellationToken).ConfigureAwait(false);
            End();
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Unregisters with the engine's drain deadline.</summary>
    public ValueTask DisposeAsync() => UnregisterAsync(_engine.Options.DrainDeadline);

    /// <summary>Engine disposal: the worker has stopped, nothing is left to drain.</summary>
    internal void RevokeAtShutdown()
    {
        // The gate is not waited for: an Unregister that has it is ending with the worker, and what is revoked is revoked once.
        _unregistered = true;
        if (TryBeginRevocation())
            Revoke();
        else if (Volatile.Read(ref _revocation) is { } running)
            // One that took longer than its caller waited is still at work with NICs that are disposed next.
            Task.WaitAny([running], _engine.Options.DrainDeadline);
    }

    /// <summary>Drains and revokes, or goes on with a revocation that did not end in time or failed.</summary>
    private async ValueTask RevokeAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        if (_revocation is null)
        {
            await _worker.QuiesceAsync(Handle, deadline, cancellationToken).ConfigureAwait(false);
            if (!TryBeginRevocation())
                return;
        }

        // Fabrics may have to wait for writers: not on the caller's thread, and not longer than the caller.
        if (_revocation is not { IsFaulted: false })
            _revocation = Task.Run(Revoke, CancellationToken.None);
        TimeSpan left = deadline == Timeout.InfiniteTimeSpan ? deadline : deadline - Stopwatch.GetElapsedTime(started);
        if (left < TimeSpan.Zero && deadline >= TimeSpan.Zero)
            left = TimeSpan.Zero;
        try
        {
            await _revocation.WaitAsync(left, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!_revocation.IsCompleted)
        {
            throw new TimeoutException($"Writes of peers to the region did not end within {deadline.TotalSeconds:0.###} s. It is revoked, but its memory must stay: unregister it again to wait longer.");
        }
    }

    private bool TryBeginRevocation()
    {
        if (Interlocked.Exchange(ref _revoked, 1) != 0)
            return false;
        _engine.Regions.Remove(Handle);
        return true;
    }

    /// <summary>Revokes the keys of all NICs, also when that of one fails: none is left that peers could write by.</summary>
    private void Revoke()
    {
        ExceptionDispatchInfo? failure = null;
        for (int i = 0; i < _keys.Length; i++)
        {
            if (_isRevoked[i])
                continue;
            try
            {
                _worker.Nics[i].Domain.Unregister(_keys[i]);
                _isRevoked[i] = true;
            }
            catch (Exception exception)
            {
                failure ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        failure?.Throw();
    }

    private void End()
    {
        _unregistered = true;
        _owner = null;
        _engine.Forget(this);
    }

    private RegionKeys[] Register()
    {
        IReadOnlyList<Nic> nics = _worker.Nics;
        var keys = new RegionKeys[nics.Count];
        int registered = 0;
        try
        {
            for (; registered < keys.Length; registered++)
                keys[registered] = nics[registered].Domain.Register(Address, Length, Kind);
        }
        catch
        {
            while (registered-- > 0)
                nics[registered].Domain.Unregister(keys[registered]);
            throw;
        }

        return keys;
    }

    private RegionHandle AddRow()
    {
        Span<ulong> keys = stackalloc ulong[NetAddress.MaxNics];
        Span<ulong> bases = stackalloc ulong[NetAddress.MaxNics];
        bases.Fill((ulong)Address);
        for (int i = 0; i < _keys.Length; i++)
            keys[i] = _keys[i].LocalKey;
        return _engine.Regions.Add(RegionState.Local, -1, _worker.Device, Length, bases, keys);
    }
}
