using System.Text;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>The CUDA driver of this machine: whether it is there and which devices it has.</summary>
public static class CudaDriver
{
    private static readonly Lock s_lock = new();
    private static bool s_initialized;

    /// <summary>Why no CUDA device can be opened here, with what to do about it; null when one can.</summary>
    public static string? Missing
    {
        get
        {
            try
            {
                return DeviceCount == 0 ? NoDevice : null;
            }
            catch (CudaException exception)
            {
                return exception.Message;
            }
        }
    }

    /// <summary>How many CUDA devices this process sees.</summary>
    /// <exception cref="CudaException">The driver is not installed or cannot be initialised.</exception>
    public static int DeviceCount
    {
        get
        {
            Initialize();
            LibCuda.Check(LibCuda.cuDeviceGetCount(out int count));
            return count;
        }
    }

    /// <summary>The version of CUDA the driver speaks, 13000 for 13.0.</summary>
    /// <exception cref="CudaException">The driver is not installed or cannot be initialised.</exception>
    public static int Version
    {
        get
        {
            Initialize();
            LibCuda.Check(LibCuda.cuDriverGetVersion(out int version));
            return version;
        }
    }

    private static string NoDevice => "The CUDA driver sees no device; check `nvidia-smi` and CUDA_VISIBLE_DEVICES.";

    /// <summary>The driver's number of the device with an ordinal.</summary>
    internal static int DeviceOf(int ordinal)
    {
        int count = DeviceCount;
        if (count == 0)
            throw new CudaException(NoDevice);
        if ((uint)ordinal >= (uint)count)
            throw new CudaException($"There is no CUDA device {ordinal}: this process sees {count}, numbered from 0 ({string.Join("; ", Enumerable.Range(0, count).Select(static i => $"{i}: {NameOf(i)}"))}).");
        LibCuda.Check(LibCuda.cuDeviceGet(out int device, ordinal));
        return device;
    }

    internal static unsafe string NameOf(int device)
    {
        Span<byte> name = stackalloc byte[128];
        fixed (byte* first = name)
            // Safe: the driver writes at most the length it is given, the terminating zero included.
            LibCuda.Check(LibCuda.cuDeviceGetName(first, name.Length, device));
        return Encoding.UTF8.GetString(name[..Math.Max(0, name.IndexOf((byte)0))]);
    }

    internal static int AttributeOf(int device, CUdevice_attribute attribute)
    {
        LibCuda.Check(LibCuda.cuDeviceGetAttribute(out int value, attribute, device));
        return value;
    }

    internal static void Initialize()
    {
        lock (s_lock)
        {
            if (s_initialized)
                return;
            if (!LibCuda.IsPresent)
                throw new CudaException("The CUDA driver (libcuda.so.1) cannot be loaded. Install NVIDIA's driver (on Debian: apt-get install nvidia-driver libcuda1; in a container: start it with --gpus all), or open ILGPU's CPU accelerator with KernelDevice.OpenCpu.");
            LibCuda.Check(LibCuda.cuInit(0));
            s_initialized = true;
        }
    }
}
