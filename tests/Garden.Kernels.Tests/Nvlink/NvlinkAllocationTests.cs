using System.Diagnostics;
using Garden.Fabric;
using Garden.Kernels.Nvlink;
using Garden.Testing;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>Posting, polling, immediates and messages of the fabric allocate nothing.</summary>
public abstract class NvlinkAllocationTests
{
    private const int Writes = 200;
    private const int Rounds = 20;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    protected abstract KernelDevice Device { get; }

    protected abstract NvlinkOptions Options { get; }

    [Fact]
    public void PostAndPollAllocateNothing()
    {
        KernelDevice device = Device;
        using var signal = new TestSignal();
        using DeviceBuffer from = device.Allocate(1 << 20), to = device.Allocate(1 << 20);
        using IFabricDomain sender = new NvlinkFabric(device, Options).Open(new FabricOpenContext(1, 0, signal))[0];
        using IFabricDomain receiver = new NvlinkFabric(device, Options).Open(new FabricOpenContext(2, 0, signal))[0];
        RegionKeys source = sender.Register(from.Address, from.Length, device.MemoryKind), target = receiver.Register(to.Address, to.Length, device.MemoryKind);
        int route = sender.OpenRoute(receiver.Address);
        var writes = new FabricWrite[Writes];
        for (int i = 0; i < writes.Length; i++)
        {
            writes[i] = new FabricWrite
            {
                LocalAddress = (ulong)from.Address + (ulong)(i * 4096),
                LocalKey = source.LocalKey,
                RemoteAddress = target.RemoteBase + (ulong)(i * 4096),
                RemoteKey = target.RemoteKey,
                Length = (i % 4) switch { 0 => 0, 1 => 8, 2 => 777, _ => 4096 },
                Context = (ulong)(i / 10),
                Route = route,
                Immediate = 3,
            };
        }

        var completions = new FabricCompletion[64];
        byte[] message = new byte[300];
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (int i = 0; i < Rounds; i++)
                Round(sender, receiver, route, writes, completions, message);
        }));
        receiver.Unregister(target);
        sender.Unregister(source);
    }

    private static void Round(IFabricDomain sender, IFabricDomain receiver, int route, FabricWrite[] writes, FabricCompletion[] completions, byte[] message)
    {
        int posted = 0, ended = 0, arrived = 0, messages = 0;
        bool isSent = false;
        long started = Stopwatch.GetTimestamp();
        while (ended < writes.Length || arrived < writes.Length || messages == 0)
        {
            if (Stopwatch.GetElapsedTime(started) > s_limit)
                throw new TimeoutException($"{posted} posted, {ended} ended, {arrived} arrived, {messages} messages");
            isSent = isSent || sender.TrySend(route, message, 1);
            if (posted < writes.Length)
                posted += sender.PostWrites(writes.AsSpan(posted, Math.Min(64, writes.Length - posted)));
            int taken = sender.Poll(completions);
            for (int i = 0; i < taken; i++)
            {
                if (completions[i].Status != FabricStatus.Ok)
                    throw new InvalidOperationException($"A write ended as {completions[i].Status}.");
                ended += completions[i].Kind == FabricCompletionKind.Write ? completions[i].Count : 0;
            }

            taken = receiver.Poll(completions);
            for (int i = 0; i < taken; i++)
            {
                if (completions[i].Kind == FabricCompletionKind.Message)
                {
                    messages++;
                    receiver.ReturnMessage(in completions[i]);
                }

                arrived += completions[i].Kind == FabricCompletionKind.Immediate ? completions[i].Count : 0;
            }

            // What a worker does between turns that find nothing.
            sender.TryArm(out _);
            receiver.TryArm(out _);
        }
    }
}

/// <summary>Every write by the stream's copies: a launch of ILGPU's CPU accelerator allocates by itself.</summary>
public sealed class CpuNvlinkAllocationTests : NvlinkAllocationTests
{
    protected override KernelDevice Device => TestDevices.Cpu;

    protected override NvlinkOptions Options => new() { CopyEngineBytes = 1 };
}

public sealed class CudaNvlinkAllocationTests : NvlinkAllocationTests
{
    protected override KernelDevice Device => TestDevices.Cuda;

    protected override NvlinkOptions Options => new();
}
