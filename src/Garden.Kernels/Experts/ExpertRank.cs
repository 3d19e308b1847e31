using System.Runtime.InteropServices;
using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>
/// One rank of a group of experts: its memory and the kernels of its rounds. A round is <see cref="DispatchSend"/>,
/// <see cref="DispatchReceive"/>, <see cref="CombineSend"/>, <see cref="CombineReceive"/>, in this order on one stream (or ordered by
/// events), each launchable by itself, so that other work runs while rows travel; all may be captured in a graph. Two rounds that
/// are to overlap take two of these.
/// </summary>
/// <remarks>
/// Ranks of one node are connected by <see cref="Connect"/> with memory that the device reaches; an <see cref="ExpertExchange{TRouting}"/>
/// connects those of other nodes. One thread at a time. Launches allocate nothing on a CUDA device.
/// </remarks>
/// <typeparam name="TRouting">A struct with <see cref="ExpertRoutingAttribute"/>.</typeparam>
public sealed partial class ExpertRank<TRouting> : IDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <summary>Words of shared memory that a kernel counts rows in: many tokens go to few ranks, so each rank has several.</summary>
    private const int CounterWords = 64;
    private const int FewTokens = 256;

    private readonly ExpertKernels<TRouting> _kernels;
    private readonly ExpertRankMemory _memory;
    private readonly ExpertPeerEntry[] _peers;
    private readonly bool[] _connected;
    private readonly bool[] _late;
    private readonly uint[] _reportedMissing;
    private uint _reportedBadLine;
    private int _reportedDropped;
    private int _reportedInvalid;
    private ExpertKernelArgs _arguments;
    private bool _disposed;

    /// <summary>Allocates the memory of one rank; other ranks are unknown until they are connected.</summary>
    /// <exception cref="PlanException">The rank is outside the group, or the routing has ExactCombine and the output one result for all experts.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="CudaException">The device has not enough memory.</exception>
    public ExpertRank(ExpertKernels<TRouting> kernels, in ExpertGroup group, int rank, ExpertRankOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(kernels);
        if ((uint)rank >= (uint)group.Ranks)
            throw new PlanException($"Rank {rank} is outside [0, {group.Ranks}).");
        Options = options ?? new ExpertRankOptions();
        Options.Validate(kernels.Device);
        if (TRouting.ExactCombine && Options.Output == ExpertOutput.RankRows)
            throw new PlanException($"{typeof(TRouting).Name} has ExactCombine: each expert's result comes back, and {ExpertOutput.RankRows} has one for all of a rank. Use {ExpertOutput.ExpertContiguous} or {ExpertOutput.ExpertSlabs}.");
        _kernels = kernels;
        Group = group;
        Rank = rank;
        _peers = new ExpertPeerEntry[group.Ranks];
        _connected = new bool[group.Ranks];
        _late = new bool[group.Ranks];
        _reportedMissing = new uint[ExpertKernelArgs.Phases * group.Ranks];
        _memory = ExpertRankMemory.Allocate<TRouting>(kernels.Device, group, kernels.Traced);
        _arguments = Arguments();
        Shapes = ExpertShapes.Of(kernels, group, Options, _arguments.CounterCopies);
        _arguments.ResultParts = Shapes.ResultParts;
        for (int peer = 0; peer < _peers.Length; peer++)
            _peers[peer].IsMasked = 1;
        WriteEpoch(1);
        Connect(rank, Addresses);
    }

    /// <summary>The ranks.</summary>
    public ExpertGroup Group { get; }

    /// <summary>This rank.</summary>
    public int Rank { get; }

    /// <summary>How its kernels run.</summary>
    public ExpertRankOptions Options { get; }

    /// <summary>The device.</summary>
    public KernelDevice Device => _kernels.Device;

    /// <summary>What other ranks of this process write into; a device that reaches it may be another one.</summary>
    public ExpertRankAddresses Addresses => new(_memory.Window.Address, _memory.Combine.Address);

    /// <summary>Dispatch region and counters: what other processes and networks map or register.</summary>
    public DeviceBuffer Window => _memory.Window;

    /// <summary>The combine region.</summary>
    public DeviceBuffer CombineRegion => _memory.Combine;

    /// <summary>Bytes of device memory this rank holds, outputs of the caller not among them.</summary>
    public long Bytes => _memory.Bytes;

    /// <summary>The round that begins next, or is under way. Waits for the device's default stream.</summary>
    public uint Epoch => ReadState().Epoch;

    /// <summary>Called after each launch, where the host must tell the worker that a kernel has ended.</summary>
    internal Action? Launched { get; set; }

    internal ExpertShapes Shapes { get; }

    internal ExpertRankMemory Memory => _memory;

    /// <summary>The timeline of traced kernels (<see cref="ClockTrace"/>).</summary>
    internal DeviceBuffer? Trace => _memory.Trace;

    /// <summary>Tells how many tokens the rounds from here on have, in order with what is on the stream.</summary>
    /// <exception cref="PlanException">More tokens than the group's.</exception>
    public void SetTokens(DeviceStream stream, int tokens)
    {
        if ((uint)tokens > (uint)Group.Tokens)
            throw new PlanException($"{tokens} tokens are outside [0, {Group.Tokens}]; send more in several rounds, or make the group with more tokens.");
        Set(stream, nameof(ExpertRoundState.Tokens), (uint)tokens);
    }

    /// <summary>Sends each token to the ranks of its experts. With ExactCombine the weights are read again by <see cref="CombineReceive"/>.</summary>
    /// <exception cref="PlanException">A buffer is too short, not aligned to 16 bytes or of another device.</exception>
    /// <exception cref="InvalidOperationException">A rank is neither connected nor masked.</exception>
    public void DispatchSend(DeviceStream stream, in ExpertTokens tokens)
    {
        RequireConnected();
        Launch(_kernels.DispatchSend(SetTokensOf(in tokens), Shapes.Few), stream, Shapes.DispatchSend);
    }

    /// <summary>Takes the rows of all ranks and lays them out for the experts.</summary>
    /// <exception cref="PlanException">The output is of another mode, too small or of another device.</exception>
    public void DispatchReceive(DeviceStream stream, ExpertRows output)
    {
        RequireConnected();
        SetOutput(output);
        Launch(_kernels.DispatchReceive(Shapes.Few), stream, Shapes.DispatchReceive);
    }

    /// <summary>Sends the experts' results back to the tokens' ranks.</summary>
    /// <param name="stream">Where to put it.</param>
    /// <param name="results">[row][HiddenSize] of the combine element, at the rows that <see cref="DispatchReceive"/> gave.</param>
    /// <exception cref="PlanException">The buffer is too short, not aligned to 16 bytes or of another device.</exception>
    public void CombineSend(DeviceStream stream, DeviceBuffer results)
    {
        RequireConnected();
        SetResults(results);
        Launch(_kernels.CombineSend(Shapes.Few, Options.Output), stream, Shapes.CombineSend);
    }

    /// <summary>Sums the results of each token; the round ends.</summary>
    /// <param name="stream">Where to put it.</param>
    /// <param name="combined">[token][HiddenSize] of the combine element.</param>
    /// <param name="accumulate">True to add to what the buffer holds (a shared expert's output, say), before the first rank's.</param>
    /// <exception cref="PlanException">The buffer is too short, not aligned to 16 bytes or of another device.</exception>
    public void CombineReceive(DeviceStream stream, DeviceBuffer combined, bool accumulate = false)
    {
        RequireConnected();
        SetCombined(combined, accumulate);
        Launch(_kernels.CombineReceive, stream, Shapes.CombineReceive);
    }

    /// <summary>Frees the memory. No kernel of this rank and none of a connected rank may still run.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _memory.Dispose();
    }

    private bool SetTokensOf(in ExpertTokens tokens)
    {
        bool quantize = TRouting.Element == ExpertElement.Float8E4M3 && tokens.Scales is null;
        long rowBytes = quantize ? QuantizedRows<TRouting>.InputRowBytes : CopiedRows<TRouting>.InputRowBytes;
        _arguments.Input = Require(tokens.Rows, Group.Tokens * rowBytes, "activations");
        _arguments.TopK = Require(tokens.TopK, sizeof(int) * (long)Group.Tokens * TRouting.TopK, "choices");
        _arguments.Weights = Require(tokens.Weights, sizeof(float) * (long)Group.Tokens * TRouting.TopK, "weights");
        _arguments.InputScales = tokens.Scales is null ? 0 : Require(tokens.Scales, sizeof(float) * (long)Group.Tokens * TRouting.ScaleCount, "scales");
        return quantize;
    }

    private void SetOutput(ExpertRows output)
    {
        ArgumentNullException.ThrowIfNull(output);
        long rows = ExpertRows.CapacityOf<TRouting>(Group, Options.Output);
        if (output.Output != Options.Output || output.Capacity < rows)
            throw new PlanException($"The output is for {output.Capacity} rows of {output.Output}; this rank delivers up to {rows} of {Options.Output}. Allocate it with ExpertRows.Allocate of this rank.");
        _arguments.Rows = Require(output.Rows, rows * TRouting.HiddenSize * TRouting.ElementBytes, "rows");
        _arguments.RowScales = output.Scales is { } scales ? Require(scales, rows * TRouting.ScaleCount * sizeof(float), "row scales") : 0;
        _arguments.RowWeights = (ulong)output.Weights.Address;
        _arguments.RowExperts = output.Experts is { } experts ? (ulong)experts.Address : 0;
        _arguments.FirstRows = (ulong)output.FirstRows.Address;
        _arguments.ExpertCounts = (ulong)output.ExpertCounts.Address;
    }

    private void SetResults(DeviceBuffer results) => _arguments.Results = Require(results, ExpertRows.CapacityOf<TRouting>(Group, Options.Output) * TRouting.HiddenSize * TRouting.CombineElementBytes, "results");

    private void SetCombined(DeviceBuffer combined, bool accumulate)
    {
        _arguments.Combined = Require(combined, (long)Group.Tokens * TRouting.HiddenSize * TRouting.CombineElementBytes, "combined rows");
        _arguments.Accumulate = accumulate ? 1 : 0;
    }

    private void Launch(DeviceKernel<ExpertKernelArgs> kernel, DeviceStream stream, in LaunchShape shape)
    {
        kernel.Launch(stream, in shape, in _arguments);
        Launched?.Invoke();
    }

    private ulong Require(DeviceBuffer buffer, long bytes, string what)
    {
        ArgumentNullException.ThrowIfNull(buffer, what);
        if (buffer.Length < bytes)
            throw new PlanException($"The buffer of the {what} has {buffer.Length} bytes; {bytes} are needed for the {Group}.");
        if (!ReferenceEquals(buffer.Device, Device))
            throw new PlanException($"The buffer of the {what} is on {buffer.Device.Name}, the rank on {Device.Name}.");
        if (buffer.Address % 16 != 0)
            throw new PlanException($"The buffer of the {what} begins at 0x{buffer.Address:x}, which is no multiple of 16; kernels move 16 bytes at a time.");
        return (ulong)buffer.Address;
    }

    private void RequireConnected()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        for (int peer = 0; peer < _connected.Length; peer++)
        {
            if (!_connected[peer])
                throw new InvalidOperationException($"Rank {Rank} does not know rank {peer} of {Group.Ranks}; connect it, or mask it to go on without it.");
        }
    }

    private void Set(DeviceStream stream, string field, uint value) => _kernels.SetWord.Launch(
        stream, new LaunchShape(1, 1), new SetWordArgs { Address = (ulong)_memory.State.Address + (ulong)Marshal.OffsetOf<ExpertRoundState>(field), Value = value });

    private ExpertKernelArgs Arguments()
    {
        int ranks = Group.Ranks;
        ulong mapped = (ulong)_memory.Mapped.DeviceAddress;
        int perRank = ExpertPlacement.ExpertsPerRank<TRouting>(ranks);
        if ((long)TRouting.Experts * perRank >= 1L << ExpertKernelArgs.ReciprocalBits)
            throw new PlanException($"{TRouting.Experts} experts with {perRank} on a rank are more than the kernels find ranks for; use more ranks.");
        return new ExpertKernelArgs
        {
            Ranks = ranks,
            Rank = Rank,
            MaxTokens = Group.Tokens,
            Padding = Group.Padding,
            ExpertsPerRank = perRank,
            RankReciprocal = (uint)(((1L << ExpertKernelArgs.ReciprocalBits) + perRank - 1) / perRank),
            LocalExperts = ExpertPlacement.LocalExperts<TRouting>(ranks, Rank),
            Output = (int)Options.Output,
            DeadlineNanoseconds = (ulong)Options.Deadline.TotalNanoseconds,
            Looks = Options.Looks,
            HasStaging = _memory.DispatchStaging is null ? 0 : 1,
            CounterCopies = Math.Clamp((Group.Tokens <= FewTokens ? CounterWords / 8 : CounterWords) / ranks, 1, 32),
            FirstOfNode = Group.FirstOfNode(Rank),
            RanksOfNode = Group.RanksOfNode(Rank),
            SlotBytes = (ulong)ExpertBuffers.SlotBytes<TRouting>(ranks, Group.Tokens),
            RemoteSlotBytes = (ulong)ExpertBuffers.RemoteSlotBytes<TRouting>(ranks, Group.Tokens),
            LineBytes = (ulong)ExpertBuffers.LineBytes<TRouting>(ranks),
            CombineAreaBytes = (ulong)ExpertBuffers.CombineBytes<TRouting>(ranks, Group.Tokens) / ExpertBuffers.Parities,
            Peers = (ulong)_memory.Peers.Address,
            State = (ulong)_memory.State.Address,
            Verdicts = (ulong)_memory.Verdicts.Address,
            Trace = _memory.Trace is { } trace ? (ulong)trace.Address : 0,
            Report = mapped,
            Missing = mapped + (ulong)ExpertRankMemory.MissingOffset,
            Posts = mapped + (ulong)ExpertRankMemory.PostsOffset(ranks),
            SourceRanks = (ulong)_memory.SourceRanks.Address,
            Sources = (ulong)_memory.Sources.Address,
            Dispatch = (ulong)_memory.Window.Address,
            NodeSlots = (ulong)_memory.Window.Address + (ulong)ExpertBuffers.SlotOffset<TRouting>(Group, 0, Rank, Group.FirstOfNode(Rank)),
            Combine = (ulong)_memory.Combine.Address,
            Received = (ulong)_memory.Received.Address,
            Inverse = (ulong)_memory.Inverse.Address,
            InverseWeights = (ulong)_memory.InverseWeights.Address,
        };
    }
}
