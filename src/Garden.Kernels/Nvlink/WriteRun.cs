using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>Writes of a batch, one after the other, over one route between the same two regions: what is looked up and checked once for all of them.</summary>
internal struct WriteRun
{
    /// <summary>Null once the route was closed: nothing of the run is copied then.</summary>
    public NvlinkRoute? Route;

    /// <summary>The route's number, −1 for none.</summary>
    public int RouteIndex;

    public ulong LocalKey;
    public ulong RemoteKey;
    public DeviceRange Source;
    public DeviceRange Destination;

    /// <summary>Why nothing of it can be written, or Ok.</summary>
    public FabricStatus Status;

    public int Code;

    /// <summary>Index of its first entry in the batch.</summary>
    public int FirstEntry;
}

/// <summary>A long write of a batch.</summary>
/// <param name="Run">Index of its run.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Destination">Where it goes to.</param>
/// <param name="Length">Length in bytes.</param>
internal readonly record struct LongWrite(int Run, nint Source, nint Destination, long Length);
