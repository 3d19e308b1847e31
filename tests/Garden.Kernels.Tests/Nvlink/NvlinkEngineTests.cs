using Garden.Fabric;
using Garden.Kernels.Nvlink;
using Garden.Testing;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>Engines over the nvlink fabric: device memory travels, and nothing is freed or mistaken meanwhile.</summary>
public abstract class NvlinkEngineTests
{
    private const byte Poison = TestBytes.Poison;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    protected abstract (KernelDevice Sender, KernelDevice Receiver) Devices { get; }

    /// <summary>Short writes by the kernel, long ones by a copy engine, at odd offsets, all counted.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task WritesOfEveryLengthArrive(int nics)
    {
        await using Pair pair = await Pair.CreateAsync(Devices, 24 << 20, new NvlinkOptions { Nics = nics });
        int[] lengths = [1, 2, 3, 4, 7, 8, 15, 16, 17, 255, 256, 4095, 14_336, 65_535, 65_536, 65_537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (5 << 20) + 3];
        byte[] expected = TestBytes.Poisoned(pair.DestinationBuffer.Length);
        long at = 1;
        ulong units = 0;
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        foreach (int length in lengths)
        {
            pair.Bytes.AsSpan((int)at, length).CopyTo(expected.AsSpan((int)at + 2));
            await pair.Sender.SubmitSingleWrite(pair.Source.Region, at, pair.Remote, at + 2, length, counter.Immediate).AsValueTask().AsTask().WaitAsync(s_limit);
            units += (ulong)Math.Max(1, (length + 65_535) / 65_536);
            at += length + 5;
        }

        await counter.WaitAsync((long)units, s_limit);
        TestBytes.Same(expected, TestBytes.Download(pair.DestinationBuffer), "single writes");
        Assert.All(pair.Sender.Devices[0].GetStatistics(), static nic => Assert.Equal("nvlink", nic.Fabric));
    }

    [Fact]
    public async Task PagesArriveInAnyOrder()
    {
        const int Pages = 700, Bytes = 9_216;
        await using Pair pair = await Pair.CreateAsync(Devices, Pages * Bytes, new NvlinkOptions { QueueDepth = 64 });
        var random = new Random(5);
        int[] from = TestBytes.Pages(random, Pages, Pages), to = TestBytes.Pages(random, Pages, Pages);
        byte[] expected = new byte[Pages * Bytes];
        for (int i = 0; i < Pages; i++)
            pair.Bytes.AsSpan(from[i] * Bytes, Bytes).CopyTo(expected.AsSpan(to[i] * Bytes));
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        Transfer transfer = pair.Sender.SubmitPagedWrites(pair.Source.Region, new PageSpan(from, Bytes), pair.Remote, new PageSpan(to, Bytes), Bytes, counter.Immediate);
        await transfer.AsValueTask().AsTask().WaitAsync(s_limit);
        await counter.WaitAsync(Pages, s_limit);
        TestBytes.Same(expected, TestBytes.Download(pair.DestinationBuffer), "paged writes");
    }

    [Fact]
    public async Task ABufferIsNotFreedWhileATransferRuns()
    {
        Pair pair = await Pair.CreateAsync(Devices, 16 << 20, new NvlinkOptions());
        await using (pair)
        {
            var transfers = new List<Transfer>();
            for (int i = 0; i < 16; i++)
                transfers.Add(pair.Sender.SubmitSingleWrite(pair.Source.Region, 0, pair.Remote, 0, 16 << 20, Immediate.FromNumber(3)));
            Assert.Contains("registered with an engine", Assert.Throws<InvalidOperationException>(pair.SourceBuffer.Dispose).Message, StringComparison.Ordinal);
            Assert.Throws<InvalidOperationException>(pair.DestinationBuffer.Dispose);
            // The registration's end waits for what runs; afterwards the memory is free.
            await pair.Source.DisposeAsync();
            pair.SourceBuffer.Dispose();
            foreach (Transfer transfer in transfers)
                await transfer.AsValueTask().AsTask().WaitAsync(s_limit);
            TestBytes.Same(pair.Bytes, TestBytes.Download(pair.DestinationBuffer), "writes from memory that was freed");
        }
    }

    [Fact]
    public async Task ARenewedRegionRefusesItsOldDescriptor()
    {
        await using Pair pair = await Pair.CreateAsync(Devices, 4096, new NvlinkOptions());
        await pair.Destination.Region.RenewAsync(s_limit);
        FabricException refused = await Assert.ThrowsAsync<FabricException>(() => pair.Sender.SubmitSingleWrite(pair.Source.Region, 0, pair.Remote, 0, 4096, Immediate.FromNumber(1)).AsValueTask().AsTask().WaitAsync(s_limit));
        Assert.Equal(FabricStatus.RemoteAccess, refused.Status);
        Assert.Contains("renewed", refused.Message, StringComparison.Ordinal);
        Assert.False(TestBytes.Download(pair.DestinationBuffer).AsSpan().ContainsAnyExcept(Poison));
    }

    [Fact]
    public void MemoryThatIsNotTheDevicesIsRefused()
    {
        KernelDevice device = Devices.Sender;
        using var signal = new TestSignal();
        using IFabricDomain domain = new NvlinkFabric(device).Open(new FabricOpenContext(1, 0, signal))[0];
        Assert.Throws<FabricException>(() => domain.Register(0, 64, device.MemoryKind));
        Assert.Throws<FabricException>(() => domain.Register(4096, 0, device.MemoryKind));
        // No device has memory there, and the CPU accelerator has no CUDA memory at all.
        Assert.Throws<FabricException>(() => domain.Register(4096, 64, MemoryKind.Cuda));
    }

    [Fact]
    public void AThousandRegistrationsLeaveRoomForMore()
    {
        KernelDevice device = Devices.Sender;
        using var signal = new TestSignal();
        using DeviceBuffer buffer = device.Allocate(4096);
        using IFabricDomain domain = new NvlinkFabric(device).Open(new FabricOpenContext(1, 0, signal))[0];
        var keys = new HashSet<ulong>();
        for (int i = 0; i < 5000; i++)
        {
            RegionKeys registered = domain.Register(buffer.Address, buffer.Length, device.MemoryKind);
            Assert.True(keys.Add(registered.RemoteKey));
            domain.Unregister(registered);
            // Twice is once.
            domain.Unregister(registered);
        }
    }

    [Fact]
    public void OptionsOutOfRangeAreNamed()
    {
        KernelDevice device = Devices.Sender;
        Assert.Contains("Nics", Assert.Throws<FabricException>(() => new NvlinkFabric(device, new NvlinkOptions { Nics = 9 })).Message, StringComparison.Ordinal);
        Assert.Contains("QueueDepth", Assert.Throws<FabricException>(() => new NvlinkFabric(device, new NvlinkOptions { QueueDepth = 1 })).Message, StringComparison.Ordinal);
        Assert.Contains("CopyEngineBytes", Assert.Throws<FabricException>(() => new NvlinkFabric(device, new NvlinkOptions { CopyEngineBytes = 2 << 20 })).Message, StringComparison.Ordinal);
    }

    /// <summary>Two connected engines with a buffer each: random bytes on one side, poison on the other.</summary>
    private sealed class Pair : IAsyncDisposable
    {
        private Pair((KernelDevice Sender, KernelDevice Receiver) devices, int bytes, NvlinkOptions options)
        {
            Sender = TransferEngine.CreateBuilder().UseNvlink(devices.Sender, options).Build();
            Receiver = TransferEngine.CreateBuilder().UseNvlink(devices.Receiver, options).Build();
            Bytes = TestBytes.Random(new Random(bytes), bytes);
            SourceBuffer = TestBytes.Upload(devices.Sender, Bytes);
            DestinationBuffer = TestBytes.Upload(devices.Receiver, TestBytes.Poisoned(bytes));
            Source = SourceBuffer.RegisterWith(Sender);
            Destination = DestinationBuffer.RegisterWith(Receiver);
        }

        public TransferEngine Sender { get; }

        public TransferEngine Receiver { get; }

        public byte[] Bytes { get; }

        public DeviceBuffer SourceBuffer { get; }

        public DeviceBuffer DestinationBuffer { get; }

        public BufferRegistration Source { get; }

        public BufferRegistration Destination { get; }

        public RemoteRegion Remote { get; private set; } = null!;

        public static async Task<Pair> CreateAsync((KernelDevice Sender, KernelDevice Receiver) devices, int bytes, NvlinkOptions options)
        {
            var pair = new Pair(devices, bytes, options);
            Peer peer = await pair.Sender.ConnectAsync(pair.Receiver.Address, s_limit);
            pair.Remote = peer.Import(pair.Destination.Region.Export());
            return pair;
        }

        public async ValueTask DisposeAsync()
        {
            await Source.DisposeAsync();
            await Destination.DisposeAsync();
            await Sender.DisposeAsync();
            await Receiver.DisposeAsync();
            SourceBuffer.Dispose();
            DestinationBuffer.Dispose();
        }
    }
}

public sealed class CpuNvlinkEngineTests : NvlinkEngineTests
{
    protected override (KernelDevice Sender, KernelDevice Receiver) Devices => (TestDevices.Cpu, TestDevices.Cpu);
}

public sealed class CudaNvlinkEngineTests : NvlinkEngineTests
{
    protected override (KernelDevice Sender, KernelDevice Receiver) Devices => (TestDevices.Cuda, TestDevices.Cuda);
}

public sealed class CudaPairNvlinkEngineTests : NvlinkEngineTests
{
    protected override (KernelDevice Sender, KernelDevice Receiver) Devices => TestDevices.CudaPair;
}
