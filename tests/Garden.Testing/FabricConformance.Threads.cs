using Garden.Fabric;

namespace Garden.Testing;

public abstract partial class FabricConformance
{
    [Fact]
    public void L7_ImmediatesOfManySendersComeAfterTheirPayload()
    {
        const int Senders = 3, Writes = 400, Slot = 512;
        using FabricHarness harness = CreateHarness();
        FabricEndpoint receiver = harness.Open("r", 1, Senders * Writes * Slot)[0];
        // An immediate that is counted before its bytes are visible shows as a slot that is not full yet.
        receiver.OnImmediate = immediate =>
        {
            int sender = (int)(immediate >> 16), index = (int)(immediate & 0xffff) - 1;
            Assert.False(receiver.Memory.Read(((sender * Writes) + index) * Slot, Slot).ContainsAnyExcept((byte)(sender + 1)));
        };
        FabricEndpoint[] senders = [.. Enumerable.Range(0, Senders).Select(i => harness.Open($"s{i}")[0])];
        Exception? failure = null;
        Thread[] threads = [.. senders.Select((sender, i) => new Thread(() => Run(sender, i)) { IsBackground = true, Name = sender.Domain.Address })];
        Array.ForEach(threads, thread => thread.Start());
        Deadline.Default.PollUntil(
            () => receiver.ImmediateTotal >= Senders * Writes || Volatile.Read(ref failure) is not null,
            () => receiver.Step(),
            () => $"{receiver} / {string.Join(" / ", senders.AsEnumerable())}");
        Deadline.Default.Join(threads, receiver.ToString);
        Assert.Null(failure);
        for (int i = 0; i < 20; i++)
            receiver.Step();
        Assert.Equal(Senders * Writes, receiver.ImmediateTotal);
        Assert.All(receiver.Immediates.Values, count => Assert.Equal(1, count));

        void Run(FabricEndpoint sender, int id)
        {
            try
            {
                sender.Memory.Fill(0, Slot, (byte)(id + 1));
                int route = sender.Domain.OpenRoute(receiver.Domain.Address);
                var writes = new FabricWrite[Writes];
                for (int i = 0; i < Writes; i++)
                    writes[i] = sender.Write(route, 0, receiver, ((id * Writes) + i) * Slot, Slot, (uint)((id << 16) | (i + 1)));
                sender.PostAll(writes, Deadline.Default);
                // An early completion does not mean that it is delivered: whoever posts keeps polling.
                Deadline.Default.PollUntil(() => sender.EndedTotal == Writes && receiver.Order.Count >= Senders * Writes, () => sender.Step(), sender.ToString);
            }
            catch (Exception caught)
            {
                Volatile.Write(ref failure, caught);
            }
        }
    }

    [Theory]
    [InlineData(8192, 30)]
    [InlineData(3 << 20, 6)]
    public void L8_UnregisteredMemoryIsNeverWrittenLate(int length, int rounds)
    {
        // Few at a time: a paced wire would be busy for seconds with writes whose key is gone.
        const int MostInFlight = 16;
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, _) = Pair(harness);
        b.Domain.Unregister(b.Keys);
        a.Memory.Fill(0, length, 0xff);
        Exception? failure = null;
        bool stop = false;
        object keys = default(RegionKeys);
        var sender = new Thread(Run) { IsBackground = true, Name = "sender" };
        sender.Start();
        try
        {
            for (int round = 0; round < rounds; round++)
            {
                RegionKeys registered = b.Domain.Register(b.Memory.Address, length, b.Memory.Kind);
                Volatile.Write(ref keys, registered);
                Deadline.Default.PollUntil(
                    () => b.Memory.Read(length - 1, 1)[0] != 0 || Volatile.Read(ref failure) is not null, () => b.Step(), () => $"round {round}: {b}");
                b.Domain.Unregister(registered);
                b.Memory.Fill(0, length, 0);
                for (int i = 0; i < 500; i++)
                    b.Step();
                Assert.False(b.Memory.Read(0, length).ContainsAnyExcept((byte)0), $"A write landed after Unregister in round {round}.");
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            Deadline.Default.Join([sender], a.ToString);
        }

        Assert.Null(failure);

        void Run()
        {
            try
            {
                int route = a.Domain.OpenRoute(b.Domain.Address);
                int failedRoutes = 0;
                ulong lastKey = 0;
                long neverEnding = 0;
                var writes = new FabricWrite[8];
                while (!Volatile.Read(ref stop))
                {
                    if (a.FailedRoutes != failedRoutes)
                    {
                        failedRoutes = a.FailedRoutes;
                        a.Domain.CloseRoute(route);
                        route = a.Domain.OpenRoute(b.Domain.Address);
                    }

                    FabricWrite write = a.Write(route, 0, b, 0, length);
                    var current = (RegionKeys)Volatile.Read(ref keys);
                    write.RemoteKey = current.RemoteKey;
                    write.RemoteAddress = current.RemoteBase;
                    writes.AsSpan().Fill(write);
                    if (current.RemoteKey != lastKey && !a.Domain.Capabilities.TellsRefusedWrites)
                        neverEnding = a.Posted - a.EndedTotal;
                    lastKey = current.RemoteKey;
                    // Not before there is one: a key that never was is another test's.
                    if (current.RemoteKey != 0 && a.Posted - a.EndedTotal - neverEnding < MostInFlight)
                        a.Post(writes);
                    a.Step();
                }
            }
            catch (Exception caught)
            {
                Volatile.Write(ref failure, caught);
            }
        }
    }

    [Fact]
    public void H3_ArmedWorkerNeverMissesAnArrival()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int there) = Pair(harness);
        int back = b.Domain.OpenRoute(a.Domain.Address);
        int rounds = harness.RoundTrips;
        Deadline deadline = Deadline.In(TimeSpan.FromSeconds(60));
        Exception? failure = null;
        var answerer = new Thread(() => Guarded(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                Await(b, i + 1);
                b.Post(new FabricWrite { Route = back, Immediate = 1 });
            }

            Await(b, rounds + 1);
        }));
        answerer.IsBackground = true;
        answerer.Name = "answerer";
        answerer.Start();
        Guarded(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                a.Post(new FabricWrite { Route = there, Immediate = 1 });
                Await(a, i + 1);
            }

            // Lets the answerer end only after its last answer is here, however late that is delivered.
            a.Post(new FabricWrite { Route = there, Immediate = 1 });
            deadline.PollUntil(() => b.Order.Count > rounds, () => a.Step(), a.ToString);
        });
        deadline.Join([answerer], () => $"{a} / {b}");
        Assert.Null(failure);

        void Await(FabricEndpoint end, int count)
        {
            while (end.Order.Count < count)
            {
                deadline.Check(() => $"{a} / {b}");
                if (end.Step() != 0)
                    continue;
                end.Signal.Reset();
                if (end.Domain.TryArm(out long due))
                {
                    harness.Park(end, due, deadline);
                    Assert.False(deadline.IsOver, $"A wake was lost: {a} / {b}");
                }
            }
        }

        void Guarded(Action action)
        {
            try
            {
                action();
            }
            catch (Exception caught)
            {
                Volatile.Write(ref failure, caught);
            }
        }
    }
}
