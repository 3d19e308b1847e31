using System.Buffers.Binary;
using System.Collections.Concurrent;
using Garden.Fabric;
using Garden.Testing;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Fabrics that write down which messages of weight updates their engines send.</summary>
internal sealed class WatchedMessages
{
    private readonly ConcurrentBag<(string From, WeightMessageKind Kind, long Step)> _sent = [];

    public int Count(string from, WeightMessageKind kind, long step) => _sent.Count(sent => sent == (from, kind, step));

    public IFabric Wrap(IFabric fabric, string name) => new Fabric(fabric, name, this);

    private sealed class Fabric(IFabric inner, string name, WatchedMessages watched) : IFabric
    {
        public string Name => inner.Name;

        public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => [.. inner.Open(context).Select(domain => new Domain(domain, name, watched))];
    }

    private sealed class Domain(IFabricDomain inner, string name, WatchedMessages watched) : DelegatingDomain(inner)
    {
        public override bool TrySend(int route, ReadOnlySpan<byte> message, ulong context)
        {
            if (!base.TrySend(route, message, context))
                return false;
            // The engine's own header comes first.
            int at = message.IndexOf("GDWT"u8);
            if (at >= 0)
                watched._sent.Add((name, (WeightMessageKind)message[at + 5], BinaryPrimitives.ReadInt64LittleEndian(message[(at + 8)..])));
            return true;
        }
    }
}
