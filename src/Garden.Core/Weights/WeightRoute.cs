namespace Garden.Weights;

/// <summary>
/// What one trainer rank sends one inference rank, worked out once and used for every update: the pieces in native memory for
/// <see cref="WeightWrites"/>, and what must be assembled before. Disposing gives up the owner's reference; running transfers
/// keep theirs.
/// </summary>
public sealed class WeightRoute : IDisposable
{
    private readonly WeightAssembly[] _assemblies;
    private readonly Lock _lock = new();
    private WeightRouteHandle _handle;
    private bool _disposed;

    internal WeightRoute(ReadOnlySpan<WeightPiece> pieces, WeightAssembly[] assemblies, WeightTotals totals, long stagingBytes)
    {
        _assemblies = assemblies;
        Totals = totals;
        StagingBytes = stagingBytes;
        _handle = WeightRouteHandle.Rent(pieces);
    }

    /// <summary>The sums over the route.</summary>
    public WeightTotals Totals { get; }

    /// <summary>Bytes of staging memory that the assemblies fill.</summary>
    public long StagingBytes { get; }

    /// <summary>What is assembled before the writes go.</summary>
    public ReadOnlySpan<WeightAssembly> Assemblies => _assemblies;

    /// <summary>The pieces, for plans.</summary>
    /// <exception cref="ObjectDisposedException">The route was disposed.</exception>
    public WeightRouteHandle Handle
    {
        get
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _handle;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            _handle.Release();
            _handle = default;
        }
    }
}
