using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>What the copies require before they launch: after these checks no kernel leaves its buffers.</summary>
internal static class KvDeviceValidation
{
    /// <summary>Vectors of a row are counted in 31 bits.</summary>
    public const long MaxVectors = int.MaxValue / 2;

    public static void RequireElements<TLayout>(DeviceBuffer buffer, string side)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        if (buffer.ElementBytes != 1 && buffer.ElementBytes != TLayout.ElementBytes)
            throw new PlanException($"The {side} buffer holds elements of {buffer.ElementBytes} bytes, but {typeof(TLayout).Name} has {TLayout.Element} elements of {TLayout.ElementBytes}; pass the right buffer, or declare it with elementBytes: {TLayout.ElementBytes}.");
    }

    /// <summary>Requires kernels of a device to reach a buffer, and lets them where that takes a link between two GPUs.</summary>
    public static void RequireReach(DeviceBuffer buffer, KernelDevice device, string side)
    {
        if (ReferenceEquals(buffer.Device, device))
            return;
        if (buffer.Device is not CudaDevice other || device is not CudaDevice own || !own.CanReach(other))
            throw new ArgumentException($"The {side} buffer is on {buffer.Device.Name} and its kernel on {device.Name}, which does not reach it; use kernels of the buffer's device.", side);
        own.EnablePeer(other);
    }

    public static void RequireLayers(int first, int count, int layers)
    {
        if (first < 0 || count < 0 || first > layers - count)
            throw new PlanException($"Layers [{first}, {first} + {count}) lie outside the layout's {layers} layers; correct the first layer or the count.");
    }

    public static void RequirePages(DevicePageList pages, KernelDevice device, string side, int poolPages, long needed)
    {
        ArgumentNullException.ThrowIfNull(pages);
        if (!ReferenceEquals(pages.Device, device))
            throw new ArgumentException($"The {side} page list is on {pages.Device.Name} and the kernel on {device.Name}; create it on the kernel's device.", side);
        if (pages.Count < needed)
            throw new PlanException($"The {side} page list has {pages.Count} entries, but {needed} are needed; list all pages from the one that holds token 0.");
        if (pages.Maximum >= poolPages)
            throw new PlanException($"The {side} page {pages.Maximum} is outside the pool of {poolPages} pages; correct the list or the pool's page count.");
    }

    public static uint RequireVectors(long bytes, int accessBytes)
    {
        long vectors = bytes / accessBytes;
        if (vectors > MaxVectors)
            throw new PlanException($"One layer and plane would take {vectors} accesses of {accessBytes} bytes; a kernel counts to {MaxVectors}. Copy fewer tokens at a time, or align the addresses to 16 bytes.");
        return (uint)vectors;
    }

    public static long PagesOf(long tokens, int tokensPerPage) => (tokens + tokensPerPage - 1) / tokensPerPage;
}
