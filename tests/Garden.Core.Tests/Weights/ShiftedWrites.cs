using Garden.Fabric;
using Garden.Testing;

namespace Garden.Core.Tests.Weights;

/// <summary>A fabric on whose NICs one write takes its bytes from one place further: what arrives is not what was sent.</summary>
internal sealed class ShiftedWrites
{
    private const int LeastBytes = 4096;
    private int _shift;

    public void ShiftNext() => Volatile.Write(ref _shift, 1);

    public IFabric Wrap(IFabric fabric, string name) => name.StartsWith("trainer", StringComparison.Ordinal) ? new Fabric(fabric, this) : fabric;

    private sealed class Fabric(IFabric inner, ShiftedWrites faults) : IFabric
    {
        public string Name => inner.Name;

        public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => [.. inner.Open(context).Select(domain => new Domain(domain, faults))];
    }

    private sealed class Domain(IFabricDomain inner, ShiftedWrites faults) : DelegatingDomain(inner)
    {
        public override int PostWrites(ReadOnlySpan<FabricWrite> writes)
        {
            FabricWrite[] changed = writes.ToArray();
            for (int i = 0; i < changed.Length; i++)
            {
                // Every byte is the one behind it then; what is sent is followed by more.
                if (changed[i].Length >= LeastBytes && Interlocked.Exchange(ref faults._shift, 0) == 1)
                {
                    changed[i].LocalAddress += 2;
                    return base.PostWrites(changed.AsSpan(0, i + 1));
                }
            }

            return base.PostWrites(changed);
        }
    }
}
