using System.Runtime.InteropServices;

namespace Garden.Perf.Doctor;

/// <summary>RDMA and GPU devices, and the libraries that reach them.</summary>
internal static class DeviceFindings
{
    private const string Verbs = "/sys/class/infiniband";

    public static IEnumerable<Finding> All()
    {
        yield return Library("libibverbs.so.1", "verbs", "apt-get install -y libibverbs1 ibverbs-providers rdma-core", "verbs");
        string[] devices = Directory.Exists(Verbs) ? [.. Directory.GetDirectories(Verbs).Select(static path => Path.GetFileName(path)!)] : [];
        yield return new Finding("verbs", "RDMA devices", devices.Length == 0 ? "none" : string.Join(", ", devices)).Unless(
            devices.Length != 0, "verbs", "modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0   # soft-RoCE, to try it; a real device needs its driver", "verbs");
        if (devices.Length != 0 && !(Directory.Exists("/dev/infiniband") && Directory.GetFiles("/dev/infiniband", "uverbs*").Length != 0))
            yield return new Finding("verbs", "/dev/infiniband/uverbs*", "none").Unless(false, "verbs, efa", "modprobe ib_uverbs   # in a container: --device /dev/infiniband", "verbs", "efa");
        yield return Library("libcuda.so.1", "nvlink, device memory", "the driver of your GPU (apt-get install -y nvidia-driver), and for a container --gpus all", "nvlink");
        if (Directory.Exists("/proc/driver/nvidia"))
            yield return DmaBuf();
    }

    private static Finding Library(string soname, string missing, string mend, string blocks)
    {
        bool found = NativeLibrary.TryLoad(soname, out nint handle);
        if (found)
            NativeLibrary.Free(handle);
        return new Finding("devices", soname, found ? "found" : "not found").Unless(found, missing, mend, blocks);
    }

    /// <summary>Device memory is registered by dma-buf, or by the older nvidia-peermem module.</summary>
    private static Finding DmaBuf()
    {
        bool peermem = Directory.Exists("/sys/module/nvidia_peermem");
        bool open = File.ReadAllText("/proc/driver/nvidia/version").Contains("Open Kernel Module", StringComparison.Ordinal);
        return new Finding("devices", "dma-buf for device memory", open ? "open kernel module" : peermem ? "nvidia_peermem" : "neither the open kernel module nor nvidia_peermem")
            .Unless(open || peermem, "verbs and efa with device memory", "modprobe nvidia_peermem");
    }
}
