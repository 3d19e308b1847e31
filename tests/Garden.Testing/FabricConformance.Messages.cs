using System.Buffers.Binary;
using Garden.Fabric;

namespace Garden.Testing;

public abstract partial class FabricConformance
{
    [Fact]
    public void MessagesGoBothWays()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int there) = Pair(harness);
        int back = b.Domain.OpenRoute(a.Domain.Address);
        byte[] longest = new byte[a.Domain.Capabilities.MaxMessageLength];
        FillPattern(longest, 3);
        Send(a, there, [], a, b);
        Send(a, there, longest, a, b);
        Send(b, back, longest.AsSpan(0, longest.Length / 2), a, b);
        // The bytes were free when the sends returned.
        byte[] expected = [.. longest];
        longest.AsSpan().Clear();
        Deadline.Default.PollUntil(
            () => b.Messages.Count == 2 && a.Messages.Count == 1 && a.Sent.Values.Sum() == 2 && b.Sent.Values.Sum() == 1,
            () => Both(a, b),
            () => $"{a} / {b}");
        Assert.Equal([0, expected.Length], b.Messages.Select(message => message.Length).Order());
        Assert.Equal(expected, b.Messages.Single(message => message.Length != 0));
        Assert.Equal(expected[..(expected.Length / 2)], Assert.Single(a.Messages));
    }

    [Fact]
    public void OverlongMessageIsRefused()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, _, int route) = Pair(harness);
        byte[] message = new byte[a.Domain.Capabilities.MaxMessageLength + 1];
        ArgumentException thrown = Assert.Throws<ArgumentException>(() => a.Domain.TrySend(route, message, 1));
        Assert.Contains(a.Domain.Capabilities.MaxMessageLength.ToString(provider: null), thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void H6_MessageBuffersExhaustedIsBackPressure()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        b.KeepMessages = true;
        int total = 0;
        byte[] message = new byte[16];
        Deadline deadline = Deadline.In(TimeSpan.FromSeconds(5));

        // Nobody gives buffers back, so that at some point a send must be refused rather than a message lost.
        for (int refusals = 0; refusals < 100; a.Step(), b.Step())
        {
            BinaryPrimitives.WriteInt32LittleEndian(message, total);
            if (a.Domain.TrySend(route, message, (ulong)total))
                total++;
            else
                refusals++;
            deadline.Check(() => $"Sends are never refused: {a} / {b}");
        }

        b.KeepMessages = false;
        b.ReturnKeptMessages();
        for (int more = 0; more < 10; more++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(message, total++);
            Send(a, route, message, a, b);
        }

        Deadline.Default.PollUntil(() => b.Messages.Count >= total && a.Sent.Values.Sum() >= total, () => Both(a, b), () => $"{total}: {a} / {b}");
        Assert.Equal(Enumerable.Range(0, total), b.Messages.Select(bytes => BinaryPrimitives.ReadInt32LittleEndian(bytes)).Order());
        Assert.Equal(total, a.Sent[FabricStatus.Ok]);
    }

    [Fact]
    public void H10_MessageIsNotKeptWaitingByWritesThatAlwaysEnd()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int there) = Pair(harness);
        int back = b.Domain.OpenRoute(a.Domain.Address);
        bool sent = false;
        Deadline.Default.PollUntil(
            () => a.Messages.Count == 1,
            () =>
            {
                a.Post(a.Write(there, 0, b, 0, 8));
                a.Step();
                // Once the writes run: while a connection is being made there are polls without an end of a write.
                sent = sent || (a.EndedTotal > 100 && b.Domain.TrySend(back, [1], 7));
                b.Step();
            },
            () => $"{a} / {b}");
    }

    [Fact]
    public void MessagesAndImmediatesTellTheRoute()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int there) = Pair(harness);
        FabricEndpoint other = harness.Open("c")[0];
        b.Domain.OpenRoute(other.Domain.Address);
        int back = b.Domain.OpenRoute(a.Domain.Address);
        Send(a, there, [1, 2, 3], a, b);
        var completions = new FabricCompletion[8];
        int route = int.MinValue;
        Deadline.Default.PollUntil(
            () => route != int.MinValue,
            () =>
            {
                a.Step();
                int count = b.Domain.Poll(completions);
                for (int i = 0; i < count; i++)
                {
                    if (completions[i].Kind != FabricCompletionKind.Message)
                        continue;
                    route = completions[i].Route;
                    b.Domain.ReturnMessage(in completions[i]);
                }
            },
            () => $"{a} / {b}");
        Assert.True(route == back || route == -1, $"A message from route {back} was attributed to route {route}.");
    }

    private static void Send(FabricEndpoint from, int route, ReadOnlySpan<byte> message, params FabricEndpoint[] all)
    {
        Deadline deadline = Deadline.Default;
        while (!from.Domain.TrySend(route, message, 42))
        {
            deadline.Check(() => string.Join(" / ", all.AsEnumerable()));
            Array.ForEach(all, end => end.Step());
        }
    }
}
