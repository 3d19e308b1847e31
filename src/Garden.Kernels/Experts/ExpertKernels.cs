using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>The four kernels of a routing, loaded on one device. Its constants are constants in their code. All ranks on the device share them.</summary>
/// <typeparam name="TRouting">A struct with <see cref="ExpertRoutingAttribute"/>.</typeparam>
public sealed class ExpertKernels<TRouting> : IDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly DeviceKernel<ExpertKernelArgs> _sendCopied;
    private readonly DeviceKernel<ExpertKernelArgs>? _sendQuantized;

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
        if (traced)
            (_sendCopied, _sendQuantized, DispatchReceive, CombineSend, CombineReceive) = Load<ClockTrace>(device, quantizes);
        else
            (_sendCopied, _sendQuantized, DispatchReceive, CombineSend, CombineReceive) = Load<NoTrace>(device, quantizes);
        Fused = fused ? new FusedKernels<TRouting>(device) : null;
        SetWord = device.Load<SetWordArgs>(Experts.SetWord.Run);
        ForwardCount = device.Load<ForwardCountArgs>(Experts.ForwardCount.Run);
    }

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <summary>What a thread of each kernel needs, by name.</summary>
    public IEnumerable<(string Name, KernelResources Resources)> Resources =>
        new[] { _sendCopied, _sendQuantized, DispatchReceive, CombineSend, CombineReceive }.OfType<DeviceKernel<ExpertKernelArgs>>().Select(static kernel => (kernel.Name, kernel.Resources));

    internal bool Traced { get; }

    internal DeviceKernel<ExpertKernelArgs> DispatchReceive { get; }

    internal DeviceKernel<ExpertKernelArgs> CombineSend { get; }

    internal DeviceKernel<ExpertKernelArgs> CombineReceive { get; }

    /// <summary>Both halves at once; null when they were not asked for.</summary>
    internal FusedKernels<TRouting>? Fused { get; }

    internal DeviceKernel<SetWordArgs> SetWord { get; }

    internal DeviceKernel<ForwardCountArgs> ForwardCount { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sendCopied.Dispose();
        _sendQuantized?.Dispose();
        DispatchReceive.Dispose();
        CombineSend.Dispose();
        CombineReceive.Dispose();
        Fused?.Dispose();
        SetWord.Dispose();
        ForwardCount.Dispose();
    }

    /// <summary>The sending kernel for activations that are quantised on the way, or for those of the wire's type.</summary>
    internal DeviceKernel<ExpertKernelArgs> DispatchSend(bool quantize) => quantize ? _sendQuantized! : _sendCopied;

    private static (DeviceKernel<ExpertKernelArgs>, DeviceKernel<ExpertKernelArgs>?, DeviceKernel<ExpertKernelArgs>, DeviceKernel<ExpertKernelArgs>, DeviceKernel<ExpertKernelArgs>) Load<TTrace>(
        KernelDevice device, bool quantizes)
        where TTrace : unmanaged, IExpertTrace => (
            device.Load<ExpertKernelArgs>(DispatchSend<TRouting, CopiedRows<TRouting>, TTrace>.Run),
            quantizes ? device.Load<ExpertKernelArgs>(DispatchSend<TRouting, QuantizedRows<TRouting>, TTrace>.Run) : null,
            device.Load<ExpertKernelArgs>(DispatchReceive<TRouting, TTrace>.Run),
            device.Load<ExpertKernelArgs>(CombineSend<TRouting, TTrace>.Run),
            device.Load<ExpertKernelArgs>(CombineReceive<TRouting, TTrace>.Run));
}
