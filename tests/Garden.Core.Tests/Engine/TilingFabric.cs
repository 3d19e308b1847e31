using Garden.Fabric;

namespace Garden.Core.Tests.Engine;

/// <summary>Logs every write instead of copying it, so that lengths beyond memory can be tested; messages pass.</summary>
internal sealed class TilingFabric(IFabric inner) : IFabric
{
    private readonly Lock _lock = new();
    private readonly List<(ulong Address, long Length)> _tiles = [];

    public string Name => inner.Name;

    public long Units { get; private set; }

    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => [.. inner.Open(context).Select(domain => new Domain(this, domain))];

    public void Clear()
    {
        _tiles.Clear();
        Units = 0;
    }

    public void AssertTiles(ulong start, long length)
    {
        ulong next = start;
        foreach ((ulong address, long bytes) in _tiles.OrderBy(tile => tile.Address))
        {
            Assert.Equal(next, address);
            next += (ulong)bytes;
        }

        Assert.Equal(start + (ulong)length, next);
    }

    private sealed class Domain(TilingFabric owner, IFabricDomain inner) : Garden.Testing.DelegatingDomain(inner)
    {
        private readonly Queue<ulong> _contexts = new();

        public override int PostWrites(ReadOnlySpan<FabricWrite> writes)
        {
            lock (owner._lock)
            {
                foreach (ref readonly FabricWrite write in writes)
                {
                    Assert.InRange(write.Length, 0, Capabilities.MaxWriteLength);
                    owner._tiles.Add((write.LocalAddress, write.Length));
                    owner.Units += Immediate.FromBits(write.Immediate).Units;
                    _contexts.Enqueue(write.Context);
                }
            }

            return writes.Length;
        }

        public override int Poll(Span<FabricCompletion> completions)
        {
            int count = 0;
            while (count < completions.Length && _contexts.TryDequeue(out ulong context))
                completions[count++] = new FabricCompletion { Kind = FabricCompletionKind.Write, Context = context, Count = 1 };
            return count + base.Poll(completions[count..]);
        }

        public override bool TryArm(out long dueTimestamp)
        {
            dueTimestamp = long.MaxValue;
            return _contexts.Count == 0 && base.TryArm(out dueTimestamp);
        }
    }
}
