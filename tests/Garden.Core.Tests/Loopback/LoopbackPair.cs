using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Core.Tests.Loopback;

/// <summary>Engines a and b of one NIC each on their own network, with a route from a to b and back.</summary>
internal sealed class LoopbackPair : IDisposable
{
    public LoopbackPair(LoopbackOptions? template = null, long bufferBytes = 1 << 20)
    {
        Harness = new LoopbackHarness(template);
        A = Harness.Open("a", 1, bufferBytes)[0];
        B = Harness.Open("b", 1, bufferBytes)[0];
        There = A.Domain.OpenRoute("b/0");
        Back = B.Domain.OpenRoute("a/0");
    }

    public LoopbackHarness Harness { get; }

    public LoopbackNetwork Network => Harness.Network;

    public FabricEndpoint A { get; }

    public FabricEndpoint B { get; }

    public int There { get; }

    public int Back { get; }

    public static LoopbackOptions Template => new() { Name = "template" };

    public void Dispose() => Harness.Dispose();

    /// <summary>Polls both until a condition holds.</summary>
    public void Until(Func<bool> condition) => Deadline.Default.PollUntil(condition, Both, ToString);

    public void Both()
    {
        A.Step();
        B.Step();
    }

    public void Both(int times)
    {
        for (int i = 0; i < times; i++)
            Both();
    }

    public override string ToString() => $"{A} / {B}";
}
