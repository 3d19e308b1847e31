using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>
/// The fabric <c>nvlink</c>: GPUs of one host, in one process or several, that copy into each other's memory. On the CPU accelerator
/// the same fabric runs without a GPU, for development and tests.
/// </summary>
/// <remarks>
/// Peers are processes of one user and PID namespace on one Linux host; GPUs that are not the same one need peer access
/// (<c>nvidia-smi topo -m</c>). Device memory of another process is opened by CUDA IPC, which takes what <c>cuMemAlloc</c> gave.
/// </remarks>
public sealed class NvlinkFabric : IFabric
{
    /// <summary>The fabric's name.</summary>
    public const string FabricName = "nvlink";

    private readonly KernelDevice _device;
    private readonly NvlinkOptions _options;

    /// <summary>NICs on a device, which stays its owner's and must outlive the engine.</summary>
    /// <exception cref="FabricException">An option is out of range; the message names it.</exception>
    public NvlinkFabric(KernelDevice device, NvlinkOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        _options = options ?? new NvlinkOptions();
        _options.Validate();
    }

    /// <inheritdoc/>
    public string Name => FabricName;

    /// <inheritdoc/>
    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!SharedMemory.IsSupported)
            throw new FabricException("The nvlink fabric needs Linux: NICs share memory through memfds. Use the loopback fabric inside one process.");
        var domains = new List<IFabricDomain>();
        try
        {
            for (int nic = 0; nic < _options.Nics; nic++)
                domains.Add(new NvlinkDomain(_device, _options));
            return domains;
        }
        catch
        {
            domains.ForEach(static domain => domain.Dispose());
            throw;
        }
    }
}
