using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Host memory whose queues are not given out before the test says so: the middle of a verification.</summary>
internal sealed class GatedDevice : IWeightDevice, IDisposable
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _opened = new();

    public MemoryKind Kind => MemoryKind.Host;

    public Task Reached => _reached.Task;

    public void Open() => _opened.Set();

    public IWeightMemory Allocate(long bytes) => HostWeightDevice.Instance.Allocate(bytes);

    public IWeightQueue CreateQueue()
    {
        _reached.TrySetResult();
        Assert.True(_opened.Wait(WeightFleet.Limit));
        return HostWeightDevice.Instance.CreateQueue();
    }

    public void Dispose() => _opened.Dispose();
}
