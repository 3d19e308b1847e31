using System.Runtime.InteropServices;

namespace Garden.Kernels.Experts;

/// <summary>Arguments of the four kernels of a rank. Addresses are of device memory unless named otherwise; all are the host's, checked there.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ExpertKernelArgs
{
    /// <summary>Number of phases: words of <see cref="Missing"/> are [phase][rank].</summary>
    public const int Phases = 4;

    /// <summary>Bits behind the point of <see cref="RankReciprocal"/>.</summary>
    internal const int ReciprocalBits = 31;

    /// <summary>Ranks of the group.</summary>
    public int Ranks;

    /// <summary>This rank.</summary>
    public int Rank;

    /// <summary>Tokens a rank sends in a round, at most.</summary>
    public int MaxTokens;

    /// <summary>Multiple to which the rows of each expert are filled up.</summary>
    public int Padding;

    /// <summary>Experts of a rank, at most.</summary>
    public int ExpertsPerRank;

    /// <summary>1 ÷ <see cref="ExpertsPerRank"/>, rounded up: an expert times it is its rank.</summary>
    public uint RankReciprocal;

    /// <summary>Experts of this rank.</summary>
    public int LocalExperts;

    /// <summary>1 when there are ranks on other nodes.</summary>
    public int HasStaging;

    /// <summary>An <see cref="ExpertOutput"/>.</summary>
    public int Output;

    /// <summary>1 when combine adds to what the output holds already.</summary>
    public int Accumulate;

    /// <summary>How long a kernel waits for a rank, by the device's clock.</summary>
    public ulong DeadlineNanoseconds;

    /// <summary>How often it looks on the CPU accelerator, which has no clock.</summary>
    public int Looks;

    /// <summary>Groups that share a row of results, where tokens are few.</summary>
    public int ResultParts;

    /// <summary>Copies of the counters of ranks in shared memory, so that neighbouring threads do not add to the same one.</summary>
    public int CounterCopies;

    /// <summary>The first rank of this rank's node.</summary>
    public int FirstOfNode;

    /// <summary>Ranks of this rank's node.</summary>
    public int RanksOfNode;

    /// <summary>Bytes of one of the two slots of a source of the same node.</summary>
    public ulong SlotBytes;

    /// <summary>Bytes of the slot of a source of another node.</summary>
    public ulong RemoteSlotBytes;

    /// <summary>Bytes of the line ahead of its rows.</summary>
    public ulong LineBytes;

    /// <summary>Bytes of one of the two areas of the combine region.</summary>
    public ulong CombineAreaBytes;

    /// <summary>[rank] <see cref="ExpertPeerEntry"/>.</summary>
    public ulong Peers;

    /// <summary>The <see cref="ExpertRoundState"/>.</summary>
    public ulong State;

    /// <summary>[parity][phase][rank] what the groups of a kernel agreed on in a round; 0 before any knew.</summary>
    public ulong Verdicts;

    /// <summary>The timeline, for kernels that keep one (<see cref="ClockTrace"/>).</summary>
    public ulong Trace;

    /// <summary>Mapped host memory: the <see cref="ExpertRoundReport"/>.</summary>
    public ulong Report;

    /// <summary>Mapped host memory: [phase][rank] the last round in which the rank did not come.</summary>
    public ulong Missing;

    /// <summary>Mapped host memory: [rank] <see cref="ExpertPost"/>.</summary>
    public ulong Posts;

    /// <summary>Mapped host memory: the value to raise when a sending kernel has ended, 8 bytes each; 0 when there is no network.</summary>
    public ulong DispatchSent;

    /// <inheritdoc cref="DispatchSent"/>
    public ulong CombineSent;

    /// <summary>[token][HiddenSize] activations.</summary>
    public ulong Input;

    /// <summary>[token][ScaleCount] their scales, when they are quantised already.</summary>
    public ulong InputScales;

    /// <summary>[token][TopK] chosen experts, −1 where masked.</summary>
    public ulong TopK;

    /// <summary>[token][TopK] weights.</summary>
    public ulong Weights;

    /// <summary>[token][TopK] the ranks a token went to, in ascending order; −1 behind the last. With ExactCombine that of each choice, or −1.</summary>
    public ulong SourceRanks;

    /// <summary>[token][TopK] rows of the combine region, in ascending order of ranks. With ExactCombine that of each choice.</summary>
    public ulong Sources;

    /// <summary>This rank's dispatch region: slots of the sources of other nodes.</summary>
    public ulong Dispatch;

    /// <summary>Behind them [parity][source] those of the same node.</summary>
    public ulong NodeSlots;

    /// <summary>This rank's combine region.</summary>
    public ulong Combine;

    /// <summary>[source] rows received, then [source] their first row in the source's combine region, then with ExactCombine [source] choices received.</summary>
    public ulong Received;

    /// <summary>[source][slot][TopK] the output row of each choice, or −1.</summary>
    public ulong Inverse;

    /// <summary>[source][slot][TopK] the weight of each choice; with ExactCombine the row of its result, counted from the source's first.</summary>
    public ulong InverseWeights;

    /// <summary>[output row][HiddenSize] received rows.</summary>
    public ulong Rows;

    /// <summary>[output row][ScaleCount] their scales.</summary>
    public ulong RowScales;

    /// <summary>[output row][TopK] local expert or −1; <see cref="ExpertOutput.RankRows"/> only.</summary>
    public ulong RowExperts;

    /// <summary>Weights: [output row][TopK] for <see cref="ExpertOutput.RankRows"/>, else [output row].</summary>
    public ulong RowWeights;

    /// <summary>[local expert + 1] first row of each expert and the number of all rows, padding included; [source + 1] for <see cref="ExpertOutput.RankRows"/>.</summary>
    public ulong FirstRows;

    /// <summary>[local expert] rows of each expert, without padding.</summary>
    public ulong ExpertCounts;

    /// <summary>[output row][HiddenSize] the experts' results.</summary>
    public ulong Results;

    /// <summary>[token][HiddenSize] the combined rows.</summary>
    public ulong Combined;
}
