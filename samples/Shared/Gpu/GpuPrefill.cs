using Garden.Kernels;
using Garden.KvCache;

namespace Garden.Samples;

/// <summary>
/// The prefill side on a device. Its model is one captured graph: for each layer a kernel that fills the layer's pages and a signal.
/// The signal raises a progress watcher, whose handler runs on the engine's worker and lets the layer go, while the device is at the
/// next one: no thread of the host waits for a layer.
/// </summary>
internal sealed class GpuPrefill<TLayout, TTransfer> : IAsyncDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    /// <summary>Prompts whose tails are under way or being computed.</summary>
    private const int TailSlots = 2;

    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    private readonly GpuPrefillOptions _options;
    private readonly GpuKvPool<TLayout> _pool;
    private readonly KvPagePool _pages;
    private readonly KvPrefiller<TTransfer> _prefiller;
    private readonly DeviceKernel<LayerArgs> _compute;
    private readonly DeviceKernel<LayerArgs> _computeTail;
    private readonly DeviceBuffer _tails;
    private readonly BufferRegistration _tailRegistration;
    private readonly Task[] _finishing = [.. Enumerable.Repeat(Task.CompletedTask, TailSlots)];
    private readonly DeviceStream _stream;
    private readonly ProgressWatcher _watcher;
    private readonly DeviceProgress _progress;
    private readonly DeviceGraph _model;
    private KvPrefillJob<TTransfer>? _job;
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _before;
    private bool _reported;

    public GpuPrefill(KernelDevice device, TransferEngine engine, GpuPrefillOptions options)
    {
        _options = options;
        _pool = new GpuKvPool<TLayout>(device, engine, options.PoolPages, options.Layers);
        _pages = new KvPagePool(options.PageOrder);
        _prefiller = new KvPrefiller<TTransfer>(engine, new KvPrefillerOptions
        {
            Pool = _pool.Region,
            PoolPages = _pool.Pages,
            MaxTailLength = options.TailBytes,
            Channel = options.Channel,
        });
        _compute = device.Load<LayerArgs>(LayerKernels.Compute);
        _computeTail = device.Load<LayerArgs>(LayerKernels.Tail);
        _tails = device.Allocate(TailSlots * options.TailBytes);
        _tailRegistration = _tails.RegisterWith(engine);
        _stream = device.CreateStream();
        _watcher = engine.AllocateProgressWatcher(OnProgress);
        _progress = new DeviceProgress(device, _watcher);
        _model = Capture();
    }

    /// <summary>Serves requests until the prefiller is disposed; the payload of each is its number.</summary>
    public async Task RunAsync()
    {
        int slot = 0;
        await foreach (KvPrefillJob<TTransfer> job in _prefiller.ReadJobsAsync())
        {
            // Whose tail lay in this slot.
            slot = (slot + 1) % TailSlots;
            await _finishing[slot];
            int tail = slot * _options.TailBytes;
            job.UseTail(_tailRegistration.Region, tail);
            KvPageLease lease = await _pages.LeaseAsync(job.PageCount, s_deadline);
            job.UsePages(lease);
            int request = BitConverter.ToInt32(job.Payload.Span);
            _reported = false;
            _before = _watcher.Value;
            Volatile.Write(ref _job, job);
            _pool.SetPrompt(_options.Seed, request, lease.Pages, _tails.Address + tail, _options.TailBytes);
            // The CPU accelerator computes here; a GPU returns at once.
            await Task.Run(() => _model.Replay(_stream));
            await (await Task.WhenAny(job.Submitted, _failed.Task).WaitAsync(s_deadline));
            // A job that was stopped is computed to its end all the same.
            if (!Volatile.Read(ref _reported) && !await Task.Run(() => SpinWait.SpinUntil(() => Volatile.Read(ref _reported), s_deadline)))
                throw new TimeoutException($"The layers of request {request} were not computed within {s_deadline.TotalSeconds} s.");
            // The next prompt is computed while this one's last layer is on its way.
            _finishing[slot] = FinishAsync(job);
        }

        await Task.WhenAll(_finishing);
    }

    public async ValueTask DisposeAsync()
    {
        await _prefiller.DisposeAsync();
        await Task.WhenAll(_finishing);
        try
        {
            _stream.Synchronize();
        }
        finally
        {
            // Also when the device has failed: nothing runs on it any more.
            _model.Dispose();
            _progress.Dispose();
            _watcher.Dispose();
            _stream.Dispose();
            _compute.Dispose();
            _computeTail.Dispose();
            await _tailRegistration.DisposeAsync();
            _tails.Dispose();
            await _pool.DisposeAsync();
        }
    }

    /// <summary>Worker: the device has done layers up to the value. Allocates nothing.</summary>
    private ulong OnProgress(ulong handled, ulong reached)
    {
        try
        {
            return Send(handled, reached);
        }
        catch (Exception exception)
        {
            // Who waits for the layers is told at once.
            _failed.TrySetException(exception);
            throw;
        }
    }

    private ulong Send(ulong handled, ulong reached)
    {
        KvPrefillJob<TTransfer> job = Volatile.Read(ref _job)!;
        int layer = (int)(reached - _before) - 1;
        if (layer < 0)
            return reached;
        if (layer == _options.Layers - 1)
            _options.ComputeDone?.Invoke(BitConverter.ToInt32(job.Payload.Span));
        job.LayerDone(layer);
        if (handled <= _before)
            _options.FirstLayerDone?.Invoke();
        if (layer != _options.Layers - 1)
            return reached;
        // The last layer's kernel and the tail's are behind one signal: both leave together, and no other thread is woken for it.
        job.TailDone();
        Volatile.Write(ref _reported, true);
        return reached;
    }

    private DeviceGraph Capture()
    {
        _stream.BeginCapture();
        for (int layer = 0; layer < _options.Layers; layer++)
        {
            if (_options.ComputeTimes > 0)
                _compute.Launch(_stream, _pool.Shape, _pool.Arguments(layer, _options.ComputeTimes));
            if (layer == _options.Layers - 1)
                _computeTail.Launch(_stream, new LaunchShape(1, Math.Min(_pool.Device.MaxThreadsPerGroup, 256)), _pool.Arguments(layer));
            _progress.Signal(_stream);
        }

        return _stream.EndCapture();
    }

    private static async Task FinishAsync(KvPrefillJob<TTransfer> job)
    {
        await using (job)
        {
            try
            {
                await job.FinishAsync();
            }
            catch (OperationCanceledException)
            {
                // The decoder cancelled the request: it knows.
            }
        }
    }
}

/// <summary>What a <see cref="GpuPrefill{TLayout, TTransfer}"/> works on.</summary>
internal sealed record GpuPrefillOptions
{
    public required int Layers { get; init; }

    public required int PoolPages { get; init; }

    /// <summary>The pool's pages that are handed out, in order.</summary>
    public required int[] PageOrder { get; init; }

    public required int TailBytes { get; init; }

    public required ushort Channel { get; init; }

    public int Seed { get; init; } = 1;

    /// <summary>How often each layer is computed: more than once to take longer, 0 to send what is there.</summary>
    public int ComputeTimes { get; init; } = 1;

    /// <summary>Worker: the first layers of a request are done.</summary>
    public Action? FirstLayerDone { get; init; }

    /// <summary>Worker: the last layer of a request is done.</summary>
    public Action<int>? ComputeDone { get; init; }
}
