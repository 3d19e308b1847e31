namespace Garden.Kernels;

/// <summary>Where the vectors of a copy come from and go to: rows of equally many vectors, in any geometry.</summary>
/// <typeparam name="TArgs">The kernel's arguments.</typeparam>
public interface ICopyMap<TArgs>
    where TArgs : unmanaged
{
    /// <summary>Number of rows.</summary>
    static abstract int Rows(TArgs arguments);

    /// <summary>Vectors of a row, below 2³¹.</summary>
    static abstract uint Vectors(TArgs arguments);

    /// <summary>The address a vector of <paramref name="bytes"/> bytes comes from.</summary>
    static abstract ulong Source(TArgs arguments, int row, uint vector, int bytes);

    /// <summary>The address a vector of <paramref name="bytes"/> bytes goes to.</summary>
    static abstract ulong Destination(TArgs arguments, int row, uint vector, int bytes);
}
