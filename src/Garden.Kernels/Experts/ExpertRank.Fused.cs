namespace Garden.Kernels.Experts;

/// <content>Both halves at once, for callers who have nothing to do in between. They may be captured, and mixed with single halves from round to round.</content>
public sealed partial class ExpertRank<TRouting>
{
    /// <summary>
    /// <see cref="DispatchSend"/> and <see cref="DispatchReceive"/> in one launch. All its groups run at once and wait for other ranks: those on the same device
    /// need room beside it (<see cref="ExpertRankOptions.MaxGroups"/>), and streams of their own.
    /// </summary>
    /// <exception cref="InvalidOperationException">The kernels were loaded without these; a rank is neither connected nor masked; or the CPU accelerator, which cannot tell a network in the middle of a launch, has an exchange.</exception>
    /// <inheritdoc cref="DispatchReceive" path="/exception[@cref='PlanException']"/>
    public void Dispatch(DeviceStream stream, in ExpertTokens tokens, ExpertRows output)
    {
        FusedKernels<TRouting> kernels = RequireFused();
        bool quantize = SetTokensOf(in tokens);
        SetOutput(output);
        LaunchShape shape = kernels.DispatchShape(Group, Options, _arguments.CounterCopies);
        Launch(kernels.Dispatch(quantize), stream, in shape);
    }

    /// <summary><see cref="CombineSend"/> and <see cref="CombineReceive"/> in one launch.</summary>
    /// <inheritdoc cref="Dispatch"/>
    public void Combine(DeviceStream stream, DeviceBuffer results, DeviceBuffer combined, bool accumulate = false)
    {
        FusedKernels<TRouting> kernels = RequireFused();
        SetResults(results);
        SetCombined(combined, accumulate);
        LaunchShape shape = kernels.CombineShape(Group, Options);
        Launch(kernels.Combine, stream, in shape);
    }

    private FusedKernels<TRouting> RequireFused()
    {
        RequireConnected();
        if (Launched is not null)
            throw new InvalidOperationException("A launch on the CPU accelerator tells the network when it has ended, and this one would wait for the network before: use DispatchSend and DispatchReceive, CombineSend and CombineReceive.");
        return _kernels.Fused ?? throw new InvalidOperationException("The kernels for both halves at once are not loaded; make ExpertKernels with fused: true.");
    }
}
