using System.Runtime.CompilerServices;

namespace Garden.Weights;

/// <summary>The sizes of a mesh of one to four axes: 20 bytes, blittable. Ranks are numbered with the last axis running fastest.</summary>
/// <remarks>Rank r of a mesh (a, b, c) is at (r / (b × c), r / c mod b, r mod c).</remarks>
public readonly struct WeightMesh : IEquatable<WeightMesh>
{
    /// <summary>The most axes a mesh has.</summary>
    public const int MaxAxes = 4;

    private readonly int _size0;
    private readonly int _size1;
    private readonly int _size2;
    private readonly int _size3;

    /// <summary>A mesh of these sizes, outermost axis first. A size of 0 in a declared mesh is one that run time gives.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are no sizes or more than four, one is negative, or the product exceeds 2³¹−1.</exception>
    public WeightMesh(params ReadOnlySpan<int> sizes)
    {
        if (sizes.Length is 0 or > MaxAxes)
            throw new ArgumentOutOfRangeException(nameof(sizes), sizes.Length, $"A mesh has 1 to {MaxAxes} axes.");
        long ranks = 1;
        foreach (int size in sizes)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(sizes));
            ranks *= size;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(ranks, int.MaxValue, nameof(sizes));
        }

        Axes = sizes.Length;
        // Axes that are not there have one member, so that products need not ask.
        (_size0, _size1, _size2, _size3) = (sizes[0], SizeOr1(sizes, 1), SizeOr1(sizes, 2), SizeOr1(sizes, 3));

        static int SizeOr1(ReadOnlySpan<int> sizes, int axis) => axis < sizes.Length ? sizes[axis] : 1;
    }

    /// <summary>Number of axes; 0 for a default mesh, which has no ranks.</summary>
    public int Axes { get; }

    /// <summary>Number of ranks: the product of the sizes.</summary>
    public int Ranks => _size0 * _size1 * _size2 * _size3;

    /// <summary>The size of an axis; 1 from <see cref="Axes"/> up to the fourth.</summary>
    public int this[int axis] => axis switch
    {
        0 => _size0,
        1 => _size1,
        2 => _size2,
        3 => _size3,
        _ => throw new ArgumentOutOfRangeException(nameof(axis), axis, $"A mesh has {MaxAxes} axes at most."),
    };

    /// <summary>Where a rank is along an axis. The rank must be below <see cref="Ranks"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Coordinate(int rank, int axis) => axis switch
    {
        0 => rank / (_size1 * _size2 * _size3),
        1 => rank / (_size2 * _size3) % _size1,
        2 => rank / _size3 % _size2,
        _ => rank % _size3,
    };

    /// <inheritdoc/>
    public bool Equals(WeightMesh other) =>
        (Axes, _size0, _size1, _size2, _size3) == (other.Axes, other._size0, other._size1, other._size2, other._size3);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is WeightMesh other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Axes, _size0, _size1, _size2, _size3);

    /// <summary>Equal axes and sizes.</summary>
    public static bool operator ==(WeightMesh left, WeightMesh right) => left.Equals(right);

    /// <summary>Different axes or sizes.</summary>
    public static bool operator !=(WeightMesh left, WeightMesh right) => !left.Equals(right);

    /// <inheritdoc/>
    public override string ToString() => Axes switch
    {
        0 => "no mesh",
        1 => $"{_size0}",
        2 => $"{_size0} × {_size1}",
        3 => $"{_size0} × {_size1} × {_size2}",
        _ => $"{_size0} × {_size1} × {_size2} × {_size3}",
    };
}
