using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Core.Tests.Loopback;

public class LoopbackReorderTests
{
    private const int Writes = 40;
    private const int MessageBit = 1 << 16;
    private const int LaneBit = 1 << 17;

    [Fact]
    public void SameSeedSameOrder()
    {
        List<int> first = Run(7);
        Assert.Equal(first, Run(7));
        Assert.NotEqual(first, Run(8));
        Assert.Equal(4 * Writes, first.Distinct().Count());
    }

    [Fact]
    public void DeliveriesOvertakeEachOther()
    {
        List<int> order = Run(3);
        List<int> lane = order.FindAll(id => (id & (MessageBit | LaneBit)) == 0);
        Assert.NotEqual(lane.Order(), lane);

        // Posted in turn: the write, then the message, of both lanes.
        int Place(int id) => order.IndexOf(id);
        Assert.Contains(Enumerable.Range(0, Writes - 1), i => Place((i + 1) | MessageBit) < Place(i));
        Assert.Contains(Enumerable.Range(0, Writes - 1), i => Place(i + 1) < Place(i | MessageBit));
        Assert.Contains(Enumerable.Range(0, Writes - 1), i => Place((i + 1) | LaneBit) < Place(i));
        Assert.Contains(Enumerable.Range(0, Writes - 1), i => Place(i + 1) < Place(i | LaneBit));
    }

    [Fact]
    public void WithoutSeedLanesAreInOrder()
    {
        List<int> order = Run(null);
        Assert.Equal(Enumerable.Range(0, Writes), order.FindAll(id => (id & (MessageBit | LaneBit)) == 0));
        Assert.Equal(Enumerable.Range(0, Writes).Select(i => i | LaneBit), order.FindAll(id => (id & (MessageBit | LaneBit)) == LaneBit));
    }

    /// <summary>Posts writes and messages on two lanes of one NIC, a poll after each round, and returns the order of arrival.</summary>
    private static List<int> Run(int? seed)
    {
        using var harness = new LoopbackHarness(LoopbackPair.Template with { ReorderSeed = seed });
        FabricEndpoint a = harness.Open("a")[0];
        FabricEndpoint[] b = harness.Open("b", 2);
        int[] routes = [a.Domain.OpenRoute("b/0"), a.Domain.OpenRoute("b/1")];
        List<int> order = [];
        Span<byte> message = stackalloc byte[4];
        for (int i = 0; i < Writes; i++)
        {
            for (int lane = 0; lane < 2; lane++)
            {
                int id = i | (lane * LaneBit);
                a.Post(a.Write(routes[lane], 0, b[lane], 0, 8, immediate: (uint)id + 1));
                BitConverter.TryWriteBytes(message, id | MessageBit);
                Assert.True(a.Domain.TrySend(routes[lane], message, 1));
            }

            Step();
        }

        Deadline.Default.PollUntil(() => order.Count == 4 * Writes, Step, () => $"{order.Count} arrivals, {a}");
        return order;

        void Step()
        {
            a.Step();
            for (int lane = 0; lane < 2; lane++)
            {
                var completions = new FabricCompletion[1];
                while (b[lane].Domain.Poll(completions) != 0)
                {
                    ref FabricCompletion completion = ref completions[0];
                    if (completion.Kind == FabricCompletionKind.Immediate)
                    {
                        order.Add((int)completion.Immediate - 1);
                        continue;
                    }

                    order.Add(Id(completion.Message));
                    b[lane].Domain.ReturnMessage(in completion);
                }
            }

        }
    }

    // Safe: every message of this test has four bytes.
    private static unsafe int Id(nint message) => *(int*)message;
}
