namespace Garden.Kernels.Experts;

/// <summary>Pieces of a row that a thread has loaded ahead of time.</summary>
public struct EarlyPieces
{
    /// <summary>The first.</summary>
    public Vector16 A;

    /// <summary>The second.</summary>
    public Vector16 B;

    /// <summary>The third.</summary>
    public Vector16 C;

    /// <summary>The fourth.</summary>
    public Vector16 D;
}
