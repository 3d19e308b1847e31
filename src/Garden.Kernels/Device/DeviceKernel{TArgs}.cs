namespace Garden.Kernels;

/// <summary>A kernel that is loaded on a device.</summary>
/// <typeparam name="TArgs">Its arguments: one blittable public struct without <c>bool</c> and <c>char</c>.</typeparam>
public abstract class DeviceKernel<TArgs> : IDisposable
    where TArgs : unmanaged
{
    private protected DeviceKernel(KernelDevice device, string name)
    {
        Device = device;
        Name = name;
    }

    /// <summary>The device it is loaded on.</summary>
    public KernelDevice Device { get; }

    /// <summary>The kernel's name, with its type arguments.</summary>
    public string Name { get; }

    /// <summary>What a thread of it needs.</summary>
    public abstract KernelResources Resources { get; }

    /// <summary>Puts the kernel on a stream. Allocates nothing on a CUDA device.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The shape is not one the device runs; the message says which are.</exception>
    /// <exception cref="ArgumentException">The stream belongs to another device.</exception>
    public abstract void Launch(DeviceStream stream, in LaunchShape shape, in TArgs arguments);

    /// <summary>A shape with enough groups to fill the device and no more than <paramref name="threads"/> need.</summary>
    public abstract LaunchShape ShapeFor(long threads, int threadsPerGroup = 0);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Unloads the kernel.</summary>
    protected abstract void Dispose(bool disposing);
}
