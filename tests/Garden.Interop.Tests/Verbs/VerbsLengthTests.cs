using System.Collections.Concurrent;
using System.Diagnostics;
using Garden.Fabric;
using Garden.Interop.Tests.Libfabric;
using Garden.Interop.Verbs;
using Garden.Interop.Verbs.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>Lengths that 32 bits do not hold, in ranges that show the same 2 MiB of memory over and over.</summary>
public sealed class VerbsLengthTests(ITestOutputHelper output)
{
    private const long Length = (4L << 30) + 1;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    [Fact]
    public Task L4_TheLastBytesOfMoreThanFourGibibytesArrive() => MoveAsync(Length - (1L << 20) - 1);

    /// <summary>Takes some three minutes on an emulated device: <c>-explicit only</c>.</summary>
    [Fact(Explicit = true)]
    public Task L4_MoreThanFourGibibytesArriveAtOnce() => MoveAsync(0);

    private async Task MoveAsync(long offset)
    {
        long began = Stopwatch.GetTimestamp();
        long length = Length - offset;
        using var from = new AliasedMemory(Length, seed: 1);
        using var to = new AliasedMemory(Length, seed: 2);
        int next = 0;
        // An acknowledgement of an emulated device may take longer than the default's 67 ms, and what is sent again takes longer still.
        Func<VerbsOptions, VerbsOptions> patient = static options => options with { AckTimeoutExponent = 18 };
        var fabric = new LoggingFabric(VerbsEngines.Create(ref next, configure: patient));
        await using TransferEngine sender = FabricEngines.Build(fabric, VerbsEngines.Patient), receiver = FabricEngines.Build(VerbsEngines.Create(ref next, configure: patient), VerbsEngines.Patient);
        MemoryRegion source = Register(sender, from), destination = Register(receiver, to);
        Say("registered");
        Peer peer = await sender.ConnectAsync(receiver.Address, VerbsEngines.Limit);
        RemoteRegion remote = peer.Import(destination.Export());
        using ImmCounter counter = receiver.AllocateCounter();
        TransferResult result = await sender.SubmitSingleWrite(source, offset, remote, offset, length, counter.Immediate, new SubmitOptions { Deadline = s_limit }).AsValueTask().AsTask().WaitAsync(s_limit);
        Say("written");
        await counter.WaitAsync(TransferUnits.OfRun(length), VerbsEngines.Limit);
        Assert.Equal(length, result.Bytes);
        Assert.True(from.LastBytes(1 << 20).SequenceEqual(to.LastBytes(1 << 20)), "the tail differs");
        // Every byte of the range went once.
        long at = offset;
        foreach ((long start, long bytes) in fabric.Writes.Order())
        {
            Assert.Equal(at, start - to.Address);
            at += bytes;
        }

        Assert.Equal(Length, at);
        Say($"checked: {fabric.Writes.Count} writes tile the range, the last 1 MiB is the source's");

        void Say(string what) => output.WriteLine($"{Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s: {length} of {Length} bytes {what}");
    }

    private static MemoryRegion Register(TransferEngine engine, AliasedMemory memory)
    {
        try
        {
            return engine.Register(memory.Address, memory.Length);
        }
        catch (FabricException exception) when (exception.ProviderCode == VerbsErrors.FirstErrno + LibC.ENOMEM && TestDevices.Names[0].StartsWith("rxe", StringComparison.Ordinal))
        {
            Assert.Skip($"The soft-RoCE of this kernel registers less than 2 GiB at once (6.12 does, 6.1 takes 4 GiB): {exception.Message}");
            throw;
        }
    }

    /// <summary>Notes what is posted.</summary>
    private sealed class LoggingFabric(IFabric inner) : IFabric
    {
        public string Name => inner.Name;

        public ConcurrentQueue<(long Start, long Bytes)> Writes { get; } = new();

        public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => [.. inner.Open(context).Select(domain => new LoggingDomain(domain, Writes))];
    }

    private sealed class LoggingDomain(IFabricDomain inner, ConcurrentQueue<(long Start, long Bytes)> log) : DelegatingDomain(inner)
    {
        public override int PostWrites(ReadOnlySpan<FabricWrite> writes)
        {
            int posted = base.PostWrites(writes);
            foreach (ref readonly FabricWrite write in writes[..posted])
            {
                if (write.Length != 0)
                    log.Enqueue(((long)write.RemoteAddress, write.Length));
            }

            return posted;
        }
    }
}
