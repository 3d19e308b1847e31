using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Kernels.Tests.Progress;

/// <summary>A kernel raises a progress watcher and the engine's worker reacts, also from inside a replayed graph.</summary>
public abstract class DeviceProgressTests
{
    protected abstract KernelDevice Device { get; }

    [Fact]
    public async Task SignalsReachTheHandler()
    {
        await using TransferEngine engine = Engine();
        using var reached = new Reached();
        using ProgressWatcher watcher = engine.AllocateProgressWatcher(reached.Handle);
        using var progress = new DeviceProgress(Device, watcher);
        for (ulong i = 1; i <= 20; i++)
        {
            progress.Signal(Device.DefaultStream);
            reached.WaitFor(i);
        }

        Assert.Equal(20uL, watcher.Value);
    }

    [Fact]
    public async Task EveryReplayOfAGraphRaisesItAgain()
    {
        await using TransferEngine engine = Engine();
        using var reached = new Reached();
        using ProgressWatcher watcher = engine.AllocateProgressWatcher(reached.Handle);
        // What the host has raised already is where the device goes on.
        watcher.Signal(100);
        using var progress = new DeviceProgress(Device, watcher);
        using DeviceStream stream = Device.CreateStream();
        stream.BeginCapture();
        for (int layer = 0; layer < 3; layer++)
            progress.Signal(stream);
        using DeviceGraph graph = stream.EndCapture();
        for (int step = 0; step < 5; step++)
            graph.Replay(stream);
        reached.WaitFor(115);
        stream.Synchronize();
        Assert.Equal(115uL, watcher.Value);
    }

    [Fact]
    public async Task WatchersOfOneEngineShareTheirPages()
    {
        await using TransferEngine engine = Engine();
        using Reached first = new(), second = new();
        using ProgressWatcher one = engine.AllocateProgressWatcher(first.Handle), two = engine.AllocateProgressWatcher(second.Handle);
        var gone = new DeviceProgress(Device, one);
        using var stays = new DeviceProgress(Device, two);
        gone.Signal(Device.DefaultStream);
        first.WaitFor(1);
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => gone.Signal(Device.DefaultStream));
        stays.Signal(Device.DefaultStream);
        second.WaitFor(1);
        Assert.Equal(1uL, one.Value);
    }

    /// <summary>The order of disposal is the user's; a graph that was recorded for a watcher raises no other one.</summary>
    [Fact]
    public async Task AWatcherMayGoBeforeItsDevicesEnd()
    {
        await using TransferEngine engine = Engine();
        using Reached first = new(), second = new();
        ProgressWatcher gone = engine.AllocateProgressWatcher(first.Handle);
        nint address = gone.Address;
        var progress = new DeviceProgress(Device, gone);
        gone.Dispose();
        using ProgressWatcher next = engine.AllocateProgressWatcher(second.Handle);
        progress.Signal(Device.DefaultStream);
        Device.DefaultStream.Synchronize();
        Assert.Equal(0uL, next.Value);
        next.Signal(1);
        second.WaitFor(1);
        progress.Dispose();
        progress.Dispose();
        using ProgressWatcher third = engine.AllocateProgressWatcher(first.Handle);
        Assert.Equal(address, third.Address);
        Assert.Throws<ObjectDisposedException>(() => new DeviceProgress(Device, gone));
    }

    private static TransferEngine Engine() => TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), "watched").Build();

    /// <summary>The last value the handler was called with.</summary>
    private sealed class Reached : IDisposable
    {
        private readonly ManualResetEventSlim _changed = new();
        private ulong _value;

        public ulong Handle(ulong handled, ulong reached)
        {
            Assert.True(reached > handled);
            Volatile.Write(ref _value, reached);
            _changed.Set();
            return reached;
        }

        public void WaitFor(ulong value)
        {
            Deadline deadline = Deadline.Default;
            while (Volatile.Read(ref _value) < value)
            {
                _changed.Wait(deadline.Left, TestContext.Current.CancellationToken);
                _changed.Reset();
                deadline.Check(() => $"the handler has seen {Volatile.Read(ref _value)} of {value}");
            }
        }

        public void Dispose() => _changed.Dispose();
    }
}

public sealed class CpuDeviceProgressTests : DeviceProgressTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaDeviceProgressTests : DeviceProgressTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
