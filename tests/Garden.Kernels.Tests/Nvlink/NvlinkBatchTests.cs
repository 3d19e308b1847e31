using Garden.Fabric;
using Garden.Kernels.Nvlink;
using Garden.Testing;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>
/// Writes that wait in the open batch because another one is under way: what is taken away meanwhile is not written any more. The stream is
/// held up by recording what is put on it.
/// </summary>
public sealed class NvlinkBatchTests : IDisposable
{
    private const int Length = 4096;
    private readonly TestSignal _signal = new();
    private readonly List<IDisposable> _opened = [];
    private readonly Node _sender;
    private readonly Node _first;
    private readonly Node _second;
    private readonly int _toFirst;
    private readonly int _toSecond;

    public NvlinkBatchTests()
    {
        (_sender, _first, _second) = (new Node(this), new Node(this), new Node(this));
        TestBytes.Random(new Random(1), Length).CopyTo(_sender.Bytes);
        _toFirst = _sender.Domain.OpenRoute(_first.Domain.Address);
        _toSecond = _sender.Domain.OpenRoute(_second.Domain.Address);
    }

    [Fact]
    public void WhatIsPostedMeanwhileGoesTogetherAndArrives()
    {
        using IDisposable held = Hold();
        for (int i = 0; i < 50; i++)
            Post(_toSecond, _second, 64 * i, 64, (ulong)i);
        Assert.Equal(0, Poll(out _));
        held.Dispose();
        Assert.Equal(51, PollUntil(51).Count(static completion => completion.Status == FabricStatus.Ok));
        Assert.True(_sender.Bytes[..3200].SequenceEqual(_second.Bytes[..3200]));
        Assert.Equal(50, Immediates(_second));
    }

    [Theory]
    [InlineData(Length - 63, 0, FabricStatus.LocalAccess)]
    [InlineData(-1, 0, FabricStatus.LocalAccess)]
    [InlineData(0, Length - 63, FabricStatus.RemoteAccess)]
    [InlineData(0, -1, FabricStatus.RemoteAccess)]
    public void AWriteOutsideItsRegionsIsRefusedAmongOthersLikeIt(int from, int to, FabricStatus expected)
    {
        FabricWrite[] writes = [Write(64, 64, 1), Write(from, to, 1), Write(128, 128, 1)];
        Assert.Equal(3, _sender.Domain.PostWrites(writes));
        var ended = new List<FabricCompletion>();
        Deadline deadline = Deadline.Default;
        while (ended.Sum(static completion => completion.Count) < 3)
        {
            deadline.Check(() => $"{ended.Count} completions");
            int taken = Poll(out FabricCompletion[] completions);
            ended.AddRange(completions[..taken]);
        }

        Assert.Equal(expected, Assert.Single(ended, static completion => completion.Status != FabricStatus.Ok).Status);
        Assert.Equal(2, Immediates(_first));
        Assert.True(_sender.Bytes[64..192].SequenceEqual(_first.Bytes[64..192]));
        Assert.False(_first.Bytes[192..].ContainsAnyExcept(TestBytes.Poison));

        FabricWrite Write(int source, int destination, ulong context) => new()
        {
            LocalAddress = (ulong)(_sender.Buffer.Address + source),
            LocalKey = _sender.Keys.LocalKey,
            RemoteAddress = _first.Keys.RemoteBase + (ulong)destination,
            RemoteKey = _first.Keys.RemoteKey,
            Length = 64,
            Context = context,
            Route = _toFirst,
            Immediate = 5,
        };
    }

    [Fact]
    public void ARegionRevokedMeanwhileIsNotWrittenTo()
    {
        using IDisposable held = Hold();
        Post(_toSecond, _second, 0, 64, 7);
        Post(_toFirst, _first, 64, 64, 8);
        _second.Domain.Unregister(_second.Keys);
        held.Dispose();
        Dictionary<ulong, FabricStatus> ended = PollUntil(3).ToDictionary(static completion => completion.Context, static completion => completion.Status);
        Assert.Equal((FabricStatus.RemoteAccess, FabricStatus.Ok), (ended[7], ended[8]));
        Assert.Equal(0, Immediates(_second));
        Assert.Equal(2, Immediates(_first));
        Assert.False(_second.Bytes.ContainsAnyExcept(TestBytes.Poison));
    }

    [Fact]
    public void ASourceUnregisteredMeanwhileIsNotReadFrom()
    {
        using IDisposable held = Hold();
        using DeviceBuffer other = TestBytes.Upload(TestDevices.Cpu, new byte[64]);
        RegionKeys keys = _sender.Domain.Register(other.Address, 64, MemoryKind.Host);
        Post(_toSecond, _second, 0, 64, 7, keys.LocalKey, (ulong)other.Address);
        // From another thread, because it waits for what is under way; the key is gone at once.
        var unregistering = Task.Run(() => _sender.Domain.Unregister(keys), TestContext.Current.CancellationToken);
        Deadline deadline = Deadline.Default;
        while (_sender.Domain.IsRegistered(keys))
            deadline.Check(static () => "the key is still there");
        held.Dispose();
        Assert.Equal(FabricStatus.LocalAccess, PollUntil(2).Single(static completion => completion.Context == 7).Status);
        Assert.True(unregistering.Wait(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        Assert.False(_second.Bytes.ContainsAnyExcept(TestBytes.Poison));
    }

    [Fact]
    public void ARouteClosedMeanwhileCarriesNothing()
    {
        using IDisposable held = Hold();
        Post(_toSecond, _second, 0, 64, 7);
        _sender.Domain.CloseRoute(_toSecond);
        // The number is given to the next route, which is up.
        Assert.Equal(_toSecond, _sender.Domain.OpenRoute(_first.Domain.Address));
        Post(_toSecond, _first, 128, 64, 9);
        held.Dispose();
        Dictionary<ulong, FabricStatus> ended = PollUntil(3).ToDictionary(static completion => completion.Context, static completion => completion.Status);
        Assert.Equal((FabricStatus.Flushed, FabricStatus.Ok), (ended[7], ended[9]));
        Assert.False(_second.Bytes.ContainsAnyExcept(TestBytes.Poison));
        Assert.True(_sender.Bytes[128..192].SequenceEqual(_first.Bytes[128..192]));
    }

    [Fact]
    public void AFencedRouteWritesNothingOfWhatWaits()
    {
        using IDisposable held = Hold();
        Post(_toSecond, _second, 0, 64, 7);
        _second.Domain.FencePeer(_second.Domain.OpenRoute(_sender.Domain.Address));
        held.Dispose();
        Assert.Equal(FabricStatus.RouteDown, PollUntil(2).Single(static completion => completion.Context == 7).Status);
        Assert.False(_second.Bytes.ContainsAnyExcept(TestBytes.Poison));
    }

    /// <summary>A kernel that waits may hold a peer's stream for ever: the receiver's worker goes on, and nothing is thrown at it.</summary>
    [Fact]
    public void AFenceOfAHeldUpPeerComesBackAndItsLastCopiesAreStillWaitedFor()
    {
        using IDisposable held = Hold();
        int back = _first.Domain.OpenRoute(_sender.Domain.Address);
        _first.Domain.FencePeer(back);
        var unregistering = Task.Run(() => _first.Domain.Unregister(_first.Keys), TestContext.Current.CancellationToken);
        held.Dispose();
        Assert.True(unregistering.Wait(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        // Its copy was under way before the fence.
        Assert.True(_sender.Bytes[..32].SequenceEqual(_first.Bytes[..32]));
        Assert.Equal(0, Immediates(_first));
    }

    public void Dispose()
    {
        for (int i = _opened.Count - 1; i >= 0; i--)
            _opened[i].Dispose();
        _signal.Dispose();
    }

    /// <summary>Puts a first write on the stream that ends only when the result is disposed.</summary>
    private Held Hold()
    {
        DeviceStream stream = _sender.Domain.Stream;
        stream.BeginCapture();
        Post(_toFirst, _first, 0, 32, 1000);
        return new Held(stream);
    }

    private void Post(int route, Node to, int at, int length, ulong context, ulong localKey = 0, ulong from = 0)
    {
        var write = new FabricWrite
        {
            LocalAddress = from != 0 ? from : (ulong)_sender.Buffer.Address + (ulong)at,
            LocalKey = localKey != 0 ? localKey : _sender.Keys.LocalKey,
            RemoteAddress = to.Keys.RemoteBase + (ulong)at,
            RemoteKey = to.Keys.RemoteKey,
            Length = length,
            Context = context,
            Route = route,
            Immediate = 5,
        };
        Assert.Equal(1, _sender.Domain.PostWrites([write]));
    }

    private int Poll(out FabricCompletion[] completions)
    {
        completions = new FabricCompletion[64];
        return _sender.Domain.Poll(completions);
    }

    /// <summary>Ends of so many writes.</summary>
    private List<FabricCompletion> PollUntil(int count)
    {
        var ended = new List<FabricCompletion>();
        Deadline deadline = Deadline.Default;
        while (ended.Count < count)
        {
            deadline.Check(() => $"{ended.Count} of {count} writes ended");
            int taken = Poll(out FabricCompletion[] completions);
            ended.AddRange(completions.Take(taken).Where(static completion => completion.Kind == FabricCompletionKind.Write));
        }

        return ended;
    }

    private static int Immediates(Node node)
    {
        var completions = new FabricCompletion[64];
        int taken = node.Domain.Poll(completions);
        return completions.Take(taken).Where(static completion => completion.Kind == FabricCompletionKind.Immediate).Sum(static completion => completion.Count);
    }

    private sealed class Held(DeviceStream stream) : IDisposable
    {
        private bool _ended;

        public void Dispose()
        {
            if (_ended)
                return;
            _ended = true;
            using DeviceGraph graph = stream.EndCapture();
            graph.Replay(stream);
        }
    }

    private sealed class Node
    {
        public Node(NvlinkBatchTests test)
        {
            Buffer = TestBytes.Upload(TestDevices.Cpu, TestBytes.Poisoned(Length));
            Domain = (NvlinkDomain)new NvlinkFabric(TestDevices.Cpu).Open(new FabricOpenContext(1, 0, test._signal))[0];
            Keys = Domain.Register(Buffer.Address, Length, MemoryKind.Host);
            test._opened.Add(Buffer);
            test._opened.Add(Domain);
        }

        public NvlinkDomain Domain { get; }

        public DeviceBuffer Buffer { get; }

        public RegionKeys Keys { get; }

        // Safe: the buffer has so many bytes and lives as long as the test.
        public unsafe Span<byte> Bytes => new((void*)Buffer.Address, Length);
    }
}
