using System.Runtime.InteropServices;

namespace Garden.Experts;

/// <summary>
/// The begin of the line ahead of the rows that one rank sends another: 16 bytes, blittable. Behind it, in the same line, a
/// 32-bit count for each expert of the receiver: how many of the rows chose it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct ExpertRankHeader
{
    /// <summary>Size in bytes.</summary>
    public const int SizeInBytes = 16;

    /// <summary>The bit of <see cref="CombineRow"/> that names the second area of the combine region.</summary>
    public const int CombineAreaBit = 1 << 30;

    /// <summary>The round this line belongs to.</summary>
    public uint Epoch;

    /// <summary>Rows behind the line.</summary>
    public int Rows;

    /// <summary>
    /// Where the receiver returns the first of these rows to: an index into the sender's rows of the round, and <see cref="CombineAreaBit"/>.
    /// The sender chooses the area: that of the round's parity, unless late stores of a masked rank may still land there.
    /// </summary>
    public int CombineRow;

    /// <summary>The sum of the counts.</summary>
    public int Selections;
}
