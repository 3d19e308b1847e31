using System.Diagnostics;
using System.Globalization;
using Garden.Interop.Host;
using Garden.Interop.Libfabric;
using Garden.KvCache;
using Garden.Samples;
using Garden.Testing;

namespace Garden.Interop.Tests.Processes;

/// <summary>KV streams between processes of which one is killed with SIGKILL.</summary>
public abstract class ProcessTests(ITestOutputHelper output)
{
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>How soon a killed peer is noticed: three heartbeats, and what a machine with more processes than cores needs besides.</summary>
    protected virtual TimeSpan Noticed => (3 * HostEngines.HeartbeatOf(Fabric)) + TimeSpan.FromSeconds(10);

    private int KillPoints => int.Parse(Environment.GetEnvironmentVariable("GARDEN_KILL_POINTS") ?? $"{DefaultKillPoints}", CultureInfo.InvariantCulture);

    protected abstract string Fabric { get; }

    /// <summary>Fewer where a process takes long to start.</summary>
    protected virtual int DefaultKillPoints => 20;

    /// <summary>Within so long from its start a process is killed at random.</summary>
    protected virtual TimeSpan KillWindow => TimeSpan.FromMilliseconds(300);

    /// <summary>Skips the test when the fabric is not here.</summary>
    protected virtual void RequireFabric() => Backends.Require(Fabric, LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);

    [Fact]
    public async Task H2_the_decoder_names_a_killed_prefiller_leaks_that_requests_pages_only_and_is_served_by_the_next_one()
    {
        await using TransferEngine engine = Open();
        await using var decode = new DecodeHost(engine, 8 * HostPages.PagesPerRequest);
        await using TransferEngine otherEngine = Open();
        await using var otherPrefill = new PrefillHost(otherEngine, TimeSpan.Zero);
        await using HostProcess first = HostProcess.StartHeldPrefiller(Fabric, Place("first"), 2, 4);
        Peer peer = await ConnectAsync(engine, "first"), other = await engine.ConnectAsync(otherEngine.Address, Limit);
        using KvPageLease held = await decode.RequestAsync(peer, 1).WaitAsync(Limit);
        Task<KvPageLease> running = decode.RequestAsync(peer, 2);
        await first.LineAsync("request 2 layer 4");
        await first.KillAsync();
        long killed = Stopwatch.GetTimestamp();

        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => running.WaitAsync(Noticed));
        output.WriteLine($"{Fabric}: noticed after {Stopwatch.GetElapsedTime(killed).TotalMilliseconds:0} ms, heartbeat {HostEngines.HeartbeatOf(Fabric).TotalMilliseconds} ms: {failure.Message}");
        Assert.Equal(peer.Address, failure.Address);
        Assert.Equal(PeerState.Failed, peer.State);
        Assert.Equal(HostPages.PagesPerRequest, decode.LeakedPages);
        Assert.Equal(HostPages.PagesPerRequest, decode.Pages.LeakedPages);
        Assert.Equal(6 * HostPages.PagesPerRequest, decode.Pages.FreePages);
        // Nobody else is touched.
        (await decode.RequestAsync(other, 7).WaitAsync(Limit)).Dispose();
        Assert.Equal(PeerState.Ready, other.State);

        await using HostProcess second = HostProcess.Start("prefill", Fabric, Place("second"), TimeSpan.Zero);
        Peer next = await ConnectAsync(engine, "second");
        Assert.NotEqual(peer.EngineId, next.EngineId);
        using KvPageLease served = await decode.RequestAsync(next, 3).WaitAsync(Limit);
        // What was delivered before is untouched.
        decode.Verify(held, 1);
    }

    [Fact]
    public async Task H2_the_prefiller_names_a_killed_decoder_gets_its_pages_back_and_serves_the_next_one()
    {
        await using TransferEngine engine = Open();
        await using var prefill = new PrefillHost(engine, TimeSpan.FromMilliseconds(5));
        await using TransferEngine otherEngine = Open();
        await using var other = new DecodeHost(otherEngine, 2 * HostPages.PagesPerRequest);
        Peer path = await otherEngine.ConnectAsync(engine.Address, Limit);
        (await other.RequestAsync(path, 1000).WaitAsync(Limit)).Dispose();
        var failed = new TaskCompletionSource<PeerFailedException>();
        using IDisposable registration = engine.OnPeerFailed((_, failure) => failed.TrySetResult(failure));
        await using IAsyncDisposable published = await Rendezvous.PublishAsync(Place("prefill"), engine.Address.ToString());
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously), goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        prefill.BeforeLayer = (_, layer) => layer == 4 && reached.TrySetResult() ? goOn.Task : Task.CompletedTask;
        await using HostProcess first = HostProcess.Start("decode", Fabric, Place("prefill"), TimeSpan.Zero);
        string address = (await first.LineAsync("at "))[3..];
        await reached.Task.WaitAsync(Limit);
        await first.KillAsync();
        long killed = Stopwatch.GetTimestamp();
        // What is written from now on goes to nobody.
        goOn.SetResult();

        PeerFailedException failure = await failed.Task.WaitAsync(Noticed);
        output.WriteLine($"{Fabric}: noticed after {Stopwatch.GetElapsedTime(killed).TotalMilliseconds:0} ms, heartbeat {HostEngines.HeartbeatOf(Fabric).TotalMilliseconds} ms: {failure.Message}");
        Assert.Equal(NetAddress.Parse(address), failure.Address);
        await UntilAsync(() => prefill.IsIdle, "the source pages of the dead decoder's job");
        (await other.RequestAsync(path, 1001).WaitAsync(Limit)).Dispose();
        Assert.Equal(PeerState.Ready, path.State);

        await using HostProcess second = HostProcess.Start("decode", Fabric, Place("prefill"), TimeSpan.Zero);
        await second.LineAsync("served 1");
    }

    /// <summary>20 random points in CI; GARDEN_KILL_POINTS=200 by command.</summary>
    [Fact]
    public async Task H2_whenever_a_process_is_killed_the_other_one_goes_on()
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int points = KillPoints, delivered = 0;
        await using TransferEngine engine = Open();
        await using var decode = new DecodeHost(engine, (points + 2) * HostPages.PagesPerRequest);
        await using var prefill = new PrefillHost(engine, TimeSpan.FromMilliseconds(3));
        await using IAsyncDisposable published = await Rendezvous.PublishAsync(Place("own"), engine.Address.ToString());
        for (int point = 0; point < points; point++)
        {
            // The moment of the fault, from before the first request to behind the last layer.
            TimeSpan moment = random.NextDouble() * KillWindow;
            if (point % 2 == 0)
            {
                await using HostProcess prefiller = HostProcess.Start("prefill", Fabric, Place($"{point}"), TimeSpan.FromMilliseconds(3));
                Peer peer = await ConnectAsync(engine, $"{point}");
                Task<KvPageLease> running = decode.RequestAsync(peer, point);
                await Task.Delay(moment);
                await prefiller.KillAsync();
                delivered += await EndsWellOrByNameAsync(running, peer);
            }
            else
            {
                await using HostProcess decoder = HostProcess.Start("decode", Fabric, Place("own"), TimeSpan.Zero);
                await decoder.LineAsync("at ");
                await Task.Delay(moment);
                await decoder.KillAsync();
                await UntilAsync(() => engine.Peers.Count == 0 && prefill.IsIdle, $"the end of decoder {point}");
            }
        }

        output.WriteLine($"{Fabric}: {points} kills, {delivered} of {(points + 1) / 2} requests delivered before theirs, {decode.LeakedPages} pages leaked");
        // Requests that the prefiller had been told of are leaked; those it had not, and those that were delivered, are free again.
        Assert.Equal(0, decode.LeakedPages % HostPages.PagesPerRequest);
        Assert.InRange(decode.LeakedPages, 0, (((points + 1) / 2) - delivered) * HostPages.PagesPerRequest);
        Assert.Equal(decode.LeakedPages, decode.Pages.LeakedPages);
        Assert.Equal((points + 2) * HostPages.PagesPerRequest, decode.Pages.FreePages + decode.Pages.LeakedPages);
        Assert.Equal(0, engine.GetStatistics().TransfersActive);
        // Both sides still work.
        await using HostProcess last = HostProcess.Start("prefill", Fabric, Place("last"), TimeSpan.Zero);
        using KvPageLease pages = await decode.RequestAsync(await ConnectAsync(engine, "last"), 1_000_000).WaitAsync(Limit);
        await using HostProcess lastDecoder = HostProcess.Start("decode", Fabric, Place("own"), TimeSpan.Zero);
        await lastDecoder.LineAsync("served 0");
    }

    private static async Task<int> EndsWellOrByNameAsync(Task<KvPageLease> running, Peer peer)
    {
        try
        {
            (await running.WaitAsync(Limit)).Dispose();
            return 1;
        }
        catch (PeerFailedException failure)
        {
            Assert.Equal(peer.Address, failure.Address);
            return 0;
        }
        finally
        {
            await UntilAsync(() => peer.State == PeerState.Failed, "the peer's failure");
        }
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var deadline = Deadline.In(Limit);
        while (!condition())
        {
            deadline.Check(() => what);
            await Task.Delay(5);
        }
    }

    private TransferEngine Open()
    {
        RequireFabric();
        return HostEngines.Build(Fabric);
    }

    private async Task<Peer> ConnectAsync(TransferEngine engine, string name) =>
        await engine.ConnectAsync(NetAddress.Parse(await Rendezvous.FindAsync(Place(name), Limit)), Limit);

    /// <summary>A file of this test process alone.</summary>
    private string Place(string name) => $"file:{Path.Combine(Path.GetTempPath(), $"garden-{Environment.ProcessId}-{Fabric}-{name}-{GetHashCode()}")}";
}

public sealed class TcpProcessTests(ITestOutputHelper output) : ProcessTests(output)
{
    protected override string Fabric => "tcp";
}

public sealed class ShmProcessTests(ITestOutputHelper output) : ProcessTests(output)
{
    protected override string Fabric => "shm";
}
