using System.Runtime.InteropServices;

namespace Garden.Kernels.Experts;

/// <summary>What kernels tell the host about a round: mapped memory, ahead of a word for every phase and rank that a wait gave up on.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
public struct ExpertRoundReport
{
    /// <summary>Size in bytes.</summary>
    public const int SizeInBytes = 64;

    /// <summary>The last round that was sent.</summary>
    public uint Epoch;

    /// <summary>Choices since the last report that were sent nowhere because their rank is masked or gave no place.</summary>
    public int Dropped;

    /// <summary>Choices since the last report of experts that do not exist; they were sent nowhere.</summary>
    public int Invalid;

    /// <summary>The last round in which a line could not be, or 0.</summary>
    public uint BadLineEpoch;

    /// <summary>The rank that sent it.</summary>
    public int BadLineRank;
}
