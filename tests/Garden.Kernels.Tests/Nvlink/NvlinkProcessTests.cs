using System.Diagnostics;
using Garden.Kernels.Nvlink;
using Garden.Testing;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>The nvlink fabric between two processes, one of which may be killed.</summary>
public abstract class NvlinkProcessTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    protected abstract KernelDevice Device { get; }

    private string Kind => Device is CudaDevice ? "cuda" : "cpu";

    /// <summary>A peer that is silent for three heartbeats has failed; processes share two cores.</summary>
    public static void Configure(TransferEngineOptions options)
    {
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(400);
        options.WaitStrategy = WaitStrategy.Economic;
    }

    [Fact]
    public async Task MemoryTravelsBothWays()
    {
        KernelDevice device = Device;
        using var child = new NvlinkChildProcess(Kind);
        await using TransferEngine engine = Engine(device);
        byte[] bytes = TestBytes.Random(new Random(9), NvlinkChild.Length);
        using DeviceBuffer buffer = TestBytes.Upload(device, bytes);
        await using BufferRegistration registration = buffer.RegisterWith(engine);
        Peer peer = await engine.ConnectAsync(child.Address, s_limit);
        RemoteRegion remote = peer.Import(child.Descriptor);
        // One long write, then short ones over its end: two immediates a round.
        for (int round = 1; round <= 3; round++)
        {
            await End(engine.SubmitSingleWrite(registration.Region, 0, remote, 0, NvlinkChild.Length, Immediate.FromNumber(NvlinkChild.Number)));
            await End(engine.SubmitSingleWrite(registration.Region, 5, remote, 5, 1001, Immediate.FromNumber(NvlinkChild.Number)));
            child.Tell($"hash {2 * round}");
            Assert.Equal(NvlinkChild.Hash(bytes), child.Read());
            bytes[round] ^= 0xff;
            buffer.Write(bytes);
        }

        using ImmCounter counter = engine.GetCounter(NvlinkChild.Number);
        byte[] sent = [.. bytes];
        sent[3] ^= 0xff;
        child.Tell($"write {engine.Address} {Convert.ToBase64String(registration.Region.Export().ToBytes())}");
        await counter.WaitAsync(1, s_limit);
        Assert.Equal("written", child.Read());
        for (int i = 0; i < sent.Length; i++)
            sent[i] = (byte)~sent[i];
        TestBytes.Same(sent, TestBytes.Download(buffer), "what the other process wrote");
    }

    /// <summary>CUDA IPC wants importers to let go before the exporter frees: the child lets go when it is told, and so may free.</summary>
    [Fact]
    public async Task T1_RegionsComeAndGoBetweenProcesses()
    {
        KernelDevice device = Device;
        using var child = new NvlinkChildProcess(Kind);
        await using TransferEngine engine = Engine(device);
        using ImmCounter counter = engine.GetCounter(NvlinkChild.Number);
        for (int round = 1; round <= 5; round++)
        {
            using DeviceBuffer buffer = TestBytes.Upload(device, TestBytes.Poisoned(NvlinkChild.Length));
            await using BufferRegistration registration = buffer.RegisterWith(engine);
            child.Tell($"write {engine.Address} {Convert.ToBase64String(registration.Region.Export().ToBytes())}");
            await counter.WaitAsync(round, s_limit);
            Assert.Equal("written", child.Read());
            byte expected = round % 2 == 1 ? unchecked((byte)~TestBytes.Poison) : TestBytes.Poison;
            Assert.False(TestBytes.Download(buffer).AsSpan().ContainsAnyExcept(expected));
            long started = Stopwatch.GetTimestamp();
            await registration.DisposeAsync();
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10), "Unregistering waited for a peer that had let go.");
        }
    }

    [Fact]
    public async Task H2_ADeadReceiverEndsTransfers()
    {
        KernelDevice device = Device;
        using var child = new NvlinkChildProcess(Kind);
        await using TransferEngine engine = Engine(device);
        using DeviceBuffer buffer = TestBytes.Upload(device, TestBytes.Random(new Random(1), NvlinkChild.Length));
        await using BufferRegistration registration = buffer.RegisterWith(engine);
        Peer peer = await engine.ConnectAsync(child.Address, s_limit);
        RemoteRegion remote = peer.Import(child.Descriptor);
        await End(engine.SubmitSingleWrite(registration.Region, 0, remote, 0, NvlinkChild.Length, Immediate.FromNumber(NvlinkChild.Number)));
        child.Kill();
        Deadline deadline = Deadline.Default;
        GardenException? failure = null;
        // Until the death is noticed writes still land in memory that the driver keeps for us.
        while (failure is null)
        {
            deadline.Check(() => $"{peer} is not known to be dead");
            try
            {
                await End(engine.SubmitSingleWrite(registration.Region, 0, remote, 0, 1000, Immediate.FromNumber(NvlinkChild.Number)));
            }
            catch (GardenException exception)
            {
                failure = exception;
            }
        }

        Assert.Equal(PeerState.Failed, peer.State);
        // The engine goes on: another process is as good as the first.
        using var second = new NvlinkChildProcess(Kind);
        Peer other = await engine.ConnectAsync(second.Address, s_limit);
        await End(engine.SubmitSingleWrite(registration.Region, 0, other.Import(second.Descriptor), 0, NvlinkChild.Length, Immediate.FromNumber(NvlinkChild.Number)));
        second.Tell("hash 1");
        Assert.Equal(NvlinkChild.Hash(TestBytes.Download(buffer)), second.Read());
    }

    [Fact]
    public async Task L8_ADeadWriterWritesNothingMore()
    {
        KernelDevice device = Device;
        using var child = new NvlinkChildProcess(Kind);
        await using TransferEngine engine = Engine(device);
        using DeviceBuffer buffer = TestBytes.Upload(device, TestBytes.Poisoned(NvlinkChild.Length));
        BufferRegistration registration = buffer.RegisterWith(engine);
        using ImmCounter counter = engine.GetCounter(NvlinkChild.Number);
        child.Tell($"flood {engine.Address} {Convert.ToBase64String(registration.Region.Export().ToBytes())}");
        await counter.WaitAsync(20, s_limit);
        child.Kill();
        // Waits for what the dead one had under way, and no longer.
        await registration.DisposeAsync().AsTask().WaitAsync(s_limit);
        buffer.Write(TestBytes.Poisoned(NvlinkChild.Length));
        Assert.False(TestBytes.Download(buffer).AsSpan().ContainsAnyExcept(TestBytes.Poison));
    }

    /// <summary>A process that cannot look at a writer knows nothing of it: least of all that it has ended.</summary>
    [Fact]
    public async Task L8_WithoutDescriptorsMemoryIsNotGivenUpUnderAWriter()
    {
        KernelDevice device = Device;
        using var child = new NvlinkChildProcess(Kind);
        await using TransferEngine engine = Engine(device);
        using DeviceBuffer buffer = TestBytes.Upload(device, TestBytes.Poisoned(NvlinkChild.Length)), spare = device.Allocate(100);
        BufferRegistration registration = buffer.RegisterWith(engine);
        using ImmCounter counter = engine.GetCounter(NvlinkChild.Number);
        child.Tell($"flood {engine.Address} {Convert.ToBase64String(registration.Region.Export().ToBytes())}");
        await counter.WaitAsync(20, s_limit);
        // Whatever an unregistration needs is loaded before: there is no descriptor for assemblies either.
        await spare.RegisterWith(engine).DisposeAsync();
        Exception? refused;
        using (new DescriptorLimit())
            refused = await Record.ExceptionAsync(() => registration.DisposeAsync().AsTask().WaitAsync(s_limit));
        Assert.Contains("ulimit -n", Assert.IsType<FabricException>(refused).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(buffer.Dispose);
        child.Kill();
        await registration.DisposeAsync().AsTask().WaitAsync(s_limit);
        buffer.Write(TestBytes.Poisoned(NvlinkChild.Length));
        Assert.False(TestBytes.Download(buffer).AsSpan().ContainsAnyExcept(TestBytes.Poison));
    }

    /// <summary>
    /// Engines with the fabric, registered buffers and another process's memory opened by its handle, made and disposed: a thousand
    /// times on a GPU, whose driver tells what is left.
    /// </summary>
    [Fact]
    public async Task T1_EnginesLeaveNothingBehind()
    {
        const int WarmUps = 20;
        KernelDevice device = Device;
        int cycles = device is CudaDevice ? 1000 : 40;
        long descriptors = 0, free = 0;
        using var child = new NvlinkChildProcess(Kind);
        for (int i = 0; i < WarmUps + cycles; i++)
        {
            if (i == WarmUps)
            {
                descriptors = Directory.GetFiles("/proc/self/fd").Length;
                free = device.Memory.FreeBytes;
            }

            await using TransferEngine engine = Engine(device);
            using DeviceBuffer buffer = device.Allocate(100_000);
            await using BufferRegistration registration = buffer.RegisterWith(engine);
            Peer peer = await engine.ConnectAsync(child.Address, s_limit);
            await End(engine.SubmitSingleWrite(registration.Region, 0, peer.Import(child.Descriptor), 0, 100_000, Immediate.FromNumber(1)));
        }

        Assert.InRange(Directory.GetFiles("/proc/self/fd").Length - descriptors, long.MinValue, 10);
        if (device is CudaDevice)
            Assert.InRange(free - device.Memory.FreeBytes, long.MinValue, 4L << 20);
    }

    private static TransferEngine Engine(KernelDevice device) => TransferEngine.CreateBuilder().UseNvlink(device, new NvlinkOptions()).Configure(Configure).Build();

    private static Task<TransferResult> End(Transfer transfer) => transfer.AsValueTask().AsTask().WaitAsync(s_limit);
}

public sealed class CpuNvlinkProcessTests : NvlinkProcessTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaNvlinkProcessTests : NvlinkProcessTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
