using Garden.Kernels;
using Garden.Kernels.Nvlink;

namespace Garden;

/// <summary>Adds devices on the <c>nvlink</c> fabric to an engine.</summary>
public static class NvlinkEngineBuilderExtensions
{
    /// <summary>Adds a device that copies with a GPU into memory of GPUs of this host, or with the CPU accelerator.</summary>
    public static TransferEngineBuilder UseNvlink(this TransferEngineBuilder builder, KernelDevice device, NvlinkOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.UseFabric(new NvlinkFabric(device, options));
    }
}
