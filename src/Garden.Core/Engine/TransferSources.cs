using Microsoft.Extensions.ObjectPool;

namespace Garden;

/// <summary>The engine's transfer sources: a pool, and a table by index for the workers.</summary>
internal sealed class TransferSources
{
    private readonly Lock _lock = new();
    private readonly ObjectPool<TransferSource> _pool;
    private readonly int _capacity;
    private TransferSource[] _table = new TransferSource[64];
    private int _count;

    public TransferSources(int capacity)
    {
        _capacity = capacity;
        // Every source that was ever made is kept: its index is its place in the table.
        _pool = new DefaultObjectPool<TransferSource>(new Policy(this), capacity);
    }

    /// <summary>Sources rented and not yet consumed: zero when every transfer was awaited, read or forgotten. Counted when asked for, so that no request pays for it.</summary>
    public long Outstanding
    {
        get
        {
            lock (_lock)
                return _table.Take(_count).Count(static source => source.IsRented);
        }
    }

    public TransferSource this[int index] => Volatile.Read(ref _table)[index];

    public TransferSource Rent(Worker worker)
    {
        TransferSource source = _pool.Get();
        source.Worker = worker;
        source.IsRented = true;
        return source;
    }

    public void Return(TransferSource source)
    {
        source.IsRented = false;
        _pool.Return(source);
    }

    private TransferSource Create()
    {
        lock (_lock)
        {
            if (_count == _capacity)
                throw new InvalidOperationException($"{_capacity} transfers are submitted and not consumed; await, read or forget each Transfer, or raise TransferEngineOptions.MaxTransfers.");
            if (_count == _table.Length)
            {
                TransferSource[] larger = new TransferSource[_table.Length * 2];
                _table.CopyTo(larger, 0);
                Volatile.Write(ref _table, larger);
            }

            var source = new TransferSource(this, _count);
            _table[_count++] = source;
            return source;
        }
    }

    private sealed class Policy(TransferSources owner) : PooledObjectPolicy<TransferSource>
    {
        public override TransferSource Create() => owner.Create();

        public override bool Return(TransferSource obj) => true;
    }
}
