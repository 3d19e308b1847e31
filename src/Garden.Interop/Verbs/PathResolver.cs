using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>
/// Makes address handles on other threads: the kernel resolves an Ethernet address meanwhile, up to a second for one that nobody has, and
/// the worker does not wait for that.
/// </summary>
internal sealed unsafe class PathResolver(VerbsNic nic, VerbsOptions options, IWorkerSignal wake)
{
    private readonly ConcurrentQueue<(RemoteNic Nic, nint Path, int Error)> _done = new();
    private readonly Lock _lock = new();
    private bool _closed;

    /// <summary>Begins to resolve the path to a remote NIC.</summary>
    public void Begin(RemoteNic remote)
    {
        remote.PathState = PathState.Resolving;
        ibv_ah_attr path = QueuePair.PathTo(nic.Port, remote.Address, options);
        bool held = false;
        nic.PdHandle.DangerousAddRef(ref held);
        ThreadPool.UnsafeQueueUserWorkItem(
            static state =>
            {
                (PathResolver resolver, RemoteNic remote, ibv_ah_attr path) = state;
                resolver.Resolve(remote, path);
            },
            (this, remote, path),
            preferLocal: false);
    }

    /// <summary>A path that has been resolved, or has not.</summary>
    public bool TryTake(out (RemoteNic Nic, nint Path, int Error) done) => _done.TryDequeue(out done);

    /// <summary>From here on what is resolved is thrown away.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            while (_done.TryDequeue(out (RemoteNic Nic, nint Path, int Error) done))
            {
                if (done.Path != 0)
                    _ = Imports.ibv_destroy_ah((ibv_ah*)done.Path);
            }
        }
    }

    private void Resolve(RemoteNic remote, ibv_ah_attr path)
    {
        ibv_ah* made = Imports.ibv_create_ah(nic.Pd, &path);
        int error = made is null ? Math.Max(1, Marshal.GetLastPInvokeError()) : 0;
        lock (_lock)
        {
            if (!_closed)
            {
                _done.Enqueue((remote, (nint)made, error));
                wake.Wake();
            }
            else if (made is not null)
            {
                _ = Imports.ibv_destroy_ah(made);
            }
        }

        nic.PdHandle.DangerousRelease();
    }
}
