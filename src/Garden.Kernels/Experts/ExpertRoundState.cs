using System.Runtime.InteropServices;

namespace Garden.Kernels.Experts;

/// <summary>Where a rank is, in device memory: a replayed graph has the arguments of its recording, so what changes from round to round is here.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
public struct ExpertRoundState
{
    /// <summary>Size in bytes.</summary>
    public const int SizeInBytes = 128;

    // Kernels take addresses as numbers: ILGPU converts none of its pointers to one.
    internal const int DispatchSendGroupsOffset = 8;
    internal const int DispatchReceiveGroupsOffset = 12;
    internal const int CombineSendGroupsOffset = 16;
    internal const int CombineReceiveGroupsOffset = 20;
    internal const int CombineAreaOffset = 24;
    internal const int ReportedEpochOffset = 28;
    internal const int DroppedOffset = 32;
    internal const int InvalidOffset = 36;
    internal const int RoundTokensOffset = 40;
    internal const int AreaLeftAfterOffset = 44;

    /// <summary>The round under way, from 1. The end of a combine raises it.</summary>
    public uint Epoch;

    /// <summary>Tokens of this rank in the next round that is sent.</summary>
    public int Tokens;

    /// <summary>Groups that have ended, one word a kernel; the last group clears it.</summary>
    public uint DispatchSendGroups;

    /// <inheritdoc cref="DispatchSendGroups"/>
    public uint DispatchReceiveGroups;

    /// <inheritdoc cref="DispatchSendGroups"/>
    public uint CombineSendGroups;

    /// <inheritdoc cref="DispatchSendGroups"/>
    public uint CombineReceiveGroups;

    /// <summary>0: results come back to the area of the round's parity; else always to area CombineArea − 1, because late stores may still land in the other.</summary>
    public uint CombineArea;

    /// <summary>The last round that was sent.</summary>
    public uint ReportedEpoch;

    /// <summary>Choices, of all rounds, that were sent nowhere because their rank is masked or gave no place; wraps.</summary>
    public int Dropped;

    /// <summary>Choices, of all rounds, of experts that do not exist; wraps.</summary>
    public int Invalid;

    /// <summary>Tokens of the round under way, as they were when it was sent.</summary>
    public int RoundTokens;

    /// <summary>The round whose area was left, when <see cref="CombineArea"/> is not 0.</summary>
    public uint AreaLeftAfter;
}
