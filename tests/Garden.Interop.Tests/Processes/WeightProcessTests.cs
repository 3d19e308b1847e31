using Garden.Interop.Host;
using Garden.Interop.Libfabric;
using Garden.Samples;
using Garden.Testing;
using Garden.Weights;

namespace Garden.Interop.Tests.Processes;

/// <summary>Weight updates over tcp of which one rank is a process that is killed with SIGKILL in the middle.</summary>
public sealed class WeightProcessTests : IAsyncDisposable
{
    private readonly string _place = $"file:{Path.Combine(Path.GetTempPath(), $"garden-{Environment.ProcessId}-weights-{Guid.NewGuid():N}")}";
    private readonly List<IAsyncDisposable> _owned = [];

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable owned in Enumerable.Reverse(_owned))
            await owned.DisposeAsync();
    }

    [Fact]
    public async Task H2_an_inference_process_is_killed_mid_update_the_other_rank_finishes_and_its_successor_joins()
    {
        Require();
        InferenceHost inference = await InferenceAsync(0);
        await using HostProcess victim = HostProcess.StartRank("inference", _place, 1, 1);
        await victim.LineAsync("published");
        var gate = new Gate(HostWeights.TensorCount + 9);
        TrainerHost[] trainers = [await TrainerAsync(0, null), await TrainerAsync(1, gate)];
        foreach (TrainerHost trainer in trainers)
            await trainer.ConnectAsync(_place);
        await StepAsync(1);
        await victim.LineAsync("received 1");

        Task<WeightVersion> receiving = inference.Receiver.ReceiveAsync(2, WeightHosts.Limit);
        Task<WeightStepReport>[] updates = [.. trainers.Select(trainer => trainer.Sender.UpdateAsync(2, WeightHosts.Limit))];
        await gate.Reached.WaitAsync(WeightHosts.Limit);
        await victim.KillAsync();
        gate.Open();
        foreach (WeightStepReport report in await Task.WhenAll(updates))
        {
            WeightRankFailure failure = Assert.Single(report.Failures);
            Assert.Equal((1, "inference1"), (failure.Rank, failure.Name));
        }

        await receiving;
        Assert.Equal(2, inference.Receiver.Swap().Step);

        await using HostProcess successor = HostProcess.StartRank("inference", _place, 1, 3);
        await successor.LineAsync("published");
        foreach (TrainerHost trainer in trainers)
            await trainer.ConnectReceiverAsync(_place, 1);
        await StepAsync(3);
        await successor.LineAsync("received 3");

        async Task StepAsync(long step)
        {
            foreach (TrainerHost trainer in trainers)
                trainer.Fill(step);
            Task<WeightVersion> received = inference.Receiver.ReceiveAsync(step, WeightHosts.Limit);
            foreach (WeightStepReport report in await Task.WhenAll(trainers.Select(trainer => trainer.Sender.UpdateAsync(step, WeightHosts.Limit))))
                Assert.True(report.IsComplete, $"{report}");
            await received;
            inference.Receiver.Swap();
        }
    }

    [Fact]
    public async Task H2_a_trainer_process_is_killed_mid_update_and_inference_ranks_name_it_and_serve_the_version_before()
    {
        Require();
        InferenceHost[] inference = [await InferenceAsync(0), await InferenceAsync(1)];
        TrainerHost trainer = await TrainerAsync(0, null);
        await using HostProcess victim = HostProcess.StartRank("trainer", _place, 1, 1);
        await trainer.ConnectAsync(_place);
        await victim.LineAsync("connected");
        Task<WeightVersion>[] received = [.. inference.Select(rank => rank.Receiver.ReceiveAsync(1, WeightHosts.Limit))];
        trainer.Fill(1);
        Assert.True((await trainer.Sender.UpdateAsync(1, WeightHosts.Limit)).IsComplete);
        await Task.WhenAll(received);
        WeightVersion[] served = [.. inference.Select(rank => rank.Receiver.Swap())];
        byte[][] bytes = [.. inference.Select((rank, i) => rank.Bytes(served[i]).ToArray())];

        received = [.. inference.Select(rank => rank.Receiver.ReceiveAsync(2, WeightHosts.Limit))];
        Task<WeightStepReport> update = trainer.Sender.UpdateAsync(2, WeightHosts.Limit);
        await victim.LineAsync("stuck");
        await victim.KillAsync();
        for (int rank = 0; rank < inference.Length; rank++)
        {
            WeightUpdateException failure = await Assert.ThrowsAsync<WeightUpdateException>(() => received[rank].WaitAsync(WeightHosts.Limit));
            Assert.Contains("trainer1", failure.Message, StringComparison.Ordinal);
            Assert.Same(served[rank], inference[rank].Receiver.Current);
            Assert.Equal(bytes[rank], inference[rank].Bytes(served[rank]).ToArray());
        }

        // Whether it lacked parts of blocks or heard it from the receivers: it ends, and knows who it was.
        string ended = await update.ContinueWith(static task => task.IsFaulted ? task.Exception.InnerException!.Message : $"{task.GetAwaiter().GetResult()}", TaskScheduler.Default).WaitAsync(WeightHosts.Limit);
        Assert.Contains("trainer1", ended, StringComparison.Ordinal);
    }

    private static void Require() => Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);

    private async Task<InferenceHost> InferenceAsync(int rank)
    {
        TransferEngine engine = HostEngines.Build("tcp");
        _owned.Add(new InferenceHost(engine, rank));
        _owned.Add(await Rendezvous.PublishAsync($"{_place}-inference{rank}", $"{engine.Address}"));
        return (InferenceHost)_owned[^2];
    }

    private async Task<TrainerHost> TrainerAsync(int rank, IWeightSource? source)
    {
        TransferEngine engine = HostEngines.Build("tcp");
        _owned.Add(new TrainerHost(engine, rank, source));
        _owned.Add(await Rendezvous.PublishAsync($"{_place}-trainer{rank}", $"{engine.Address}"));
        return (TrainerHost)_owned[^2];
    }

    /// <summary>Tensors that are there already, one of which is not given out before the test says so.</summary>
    private sealed class Gate(int gatedCall) : IWeightSource
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _calls;

        public Task Reached => _reached.Task;

        public void Open() => _opened.TrySetResult();

        public async ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken)
        {
            if (_calls++ != gatedCall)
                return;
            _reached.TrySetResult();
            await _opened.Task.WaitAsync(cancellationToken);
        }
    }
}
