using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>The kernels of a routing, loaded on one device. Its constants are constants in their code. All ranks on the device share them.</summary>
/// <typeparam name="TRouting">A struct with <see cref="ExpertRoutingAttribute"/>.</typeparam>
public sealed class ExpertKernels<TRouting> : IDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly Loaded _loaded;

    /// <summary>Compiles and loads the kernels.</summary>
    /// <param name="device">The device.</param>
    /// <param name="fused">True for the kernels of <see cref="ExpertRank{TRouting}.Dispatch"/> and <see cref="ExpertRank{TRouting}.Combine"/> too.</param>
    /// <exception cref="PlanException">The routing's scale block is not one the kernels quantise with.</exception>
    /// <exception cref="KernelCompilationException">They could not be compiled.</exception>
    public ExpertKernels(KernelDevice device, bool fused = false)
        : this(device, fused, traced: false)
    {
    }

    /// <summary>The same; traced kernels stamp a timeline into <see cref="ExpertRank{TRouting}.Trace"/>.</summary>
    internal ExpertKernels(KernelDevice device, bool fused, bool traced)
    {
        ArgumentNullException.ThrowIfNull(device);
        bool quantizes = TRouting.Element == ExpertElement.Float8E4M3;
        if (quantizes && TRouting.ScaleBlock % 16 != 0)
            throw new PlanException($"{typeof(TRouting).Name} has blocks of {TRouting.ScaleBlock} elements; the kernels move 16 at a time: make ScaleBlock a multiple of 16.");
        Device = device;
        Traced = traced;
        _loaded = traced ? Load<ClockTrace>(device, quantizes) : Load<NoTrace>(device, quantizes);
        Fused = fused ? new FusedKernels<TRouting>(device) : null;
        SetWord = device.Load<SetWordArgs>(Experts.SetWord.Run);
        ForwardCount = device.Load<ForwardCountArgs>(Experts.ForwardCount.Run);
    }

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <summary>What a thread of each kernel needs, by name.</summary>
    public IEnumerable<(string Name, KernelResources Resources)> Resources => _loaded.All.Select(static kernel => (kernel.Name, kernel.Resources));

    internal bool Traced { get; }

    internal DeviceKernel<ExpertKernelArgs> CombineReceive => _loaded.CombineReceive;

    /// <summary>Both halves at once; null when they were not asked for.</summary>
    internal FusedKernels<TRouting>? Fused { get; }

    internal DeviceKernel<SetWordArgs> SetWord { get; }

    internal DeviceKernel<ForwardCountArgs> ForwardCount { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceKernel<ExpertKernelArgs> kernel in _loaded.All)
            kernel.Dispose();
        Fused?.Dispose();
        SetWord.Dispose();
        ForwardCount.Dispose();
    }

    /// <summary>The sending kernel for activations that are quantised on the way, or for those of the wire's type, and for few tokens.</summary>
    internal DeviceKernel<ExpertKernelArgs> DispatchSend(bool quantize, bool few) => (quantize, few) switch
    {
        (true, true) => _loaded.SendFewQuantized!,
        (true, false) => _loaded.SendQuantized!,
        (false, true) => _loaded.SendFewCopied,
        (false, false) => _loaded.SendCopied,
    };

    internal DeviceKernel<ExpertKernelArgs> DispatchReceive(bool few) => few ? _loaded.ReceiveFew : _loaded.Receive;

    /// <summary>Rows by rank are copied, few or many.</summary>
    internal DeviceKernel<ExpertKernelArgs> CombineSend(bool few, ExpertOutput output) => few && output != ExpertOutput.RankRows ? _loaded.ResultsFew : _loaded.Results;

    private static Loaded Load<TTrace>(KernelDevice device, bool quantizes)
        where TTrace : unmanaged, IExpertTrace => new(
            device.Load<ExpertKernelArgs>(DispatchSend<TRouting, CopiedRows<TRouting>, TTrace>.Run),
            quantizes ? device.Load<ExpertKernelArgs>(DispatchSend<TRouting, QuantizedRows<TRouting>, TTrace>.Run) : null,
            device.Load<ExpertKernelArgs>(DispatchSendFew<TRouting, CopiedRows<TRouting>, TTrace>.Run),
            quantizes ? device.Load<ExpertKernelArgs>(DispatchSendFew<TRouting, QuantizedRows<TRouting>, TTrace>.Run) : null,
            device.Load<ExpertKernelArgs>(DispatchReceive<TRouting, ManyTokens, TTrace>.Run),
            device.Load<ExpertKernelArgs>(DispatchReceive<TRouting, FewTokens, TTrace>.Run),
            device.Load<ExpertKernelArgs>(CombineSend<TRouting, ManyTokens, TTrace>.Run),
            device.Load<ExpertKernelArgs>(CombineSend<TRouting, FewTokens, TTrace>.Run),
            device.Load<ExpertKernelArgs>(CombineReceive<TRouting, TTrace>.Run));

    private sealed record Loaded(
        DeviceKernel<ExpertKernelArgs> SendCopied,
        DeviceKernel<ExpertKernelArgs>? SendQuantized,
        DeviceKernel<ExpertKernelArgs> SendFewCopied,
        DeviceKernel<ExpertKernelArgs>? SendFewQuantized,
        DeviceKernel<ExpertKernelArgs> Receive,
        DeviceKernel<ExpertKernelArgs> ReceiveFew,
        DeviceKernel<ExpertKernelArgs> Results,
        DeviceKernel<ExpertKernelArgs> ResultsFew,
        DeviceKernel<ExpertKernelArgs> CombineReceive)
    {
        public IEnumerable<DeviceKernel<ExpertKernelArgs>> All =>
            new[] { SendCopied, SendQuantized, SendFewCopied, SendFewQuantized, Receive, ReceiveFew, Results, ResultsFew, CombineReceive }.OfType<DeviceKernel<ExpertKernelArgs>>();
    }
}
