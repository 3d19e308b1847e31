using System.Runtime.InteropServices;

namespace Garden.Kernels.Experts;

/// <summary>What the network is to carry to one rank, told by kernels in mapped memory. 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ExpertPost
{
    /// <summary>Size in bytes.</summary>
    public const int SizeInBytes = 16;

    /// <summary>Where the line lies in the staging of dispatched rows, in units of <see cref="Garden.Experts.ExpertBuffers.LineAlignment"/>.</summary>
    public int DispatchLine;

    /// <summary>Rows behind the line.</summary>
    public int DispatchRows;

    /// <summary>The first row of the results in the receiver's combine region.</summary>
    public int CombineRow;

    /// <summary>Rows of results.</summary>
    public int CombineRows;
}
