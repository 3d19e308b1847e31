using System.Runtime.InteropServices;

namespace Garden.Kernels.KvCache;

/// <summary>Page indices in device memory, checked once and used by any number of copies (over all layers of a request, say).</summary>
public sealed class DevicePageList : IDisposable
{
    private readonly DeviceBuffer? _buffer;

    private DevicePageList(KernelDevice device, DeviceBuffer? buffer, int count, int maximum)
    {
        Device = device;
        _buffer = buffer;
        Count = count;
        Maximum = maximum;
    }

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <summary>Number of page indices.</summary>
    public int Count { get; }

    /// <summary>The largest page index, −1 of an empty list.</summary>
    public int Maximum { get; }

    internal ulong Address => (ulong)(_buffer?.Address ?? 0);

    /// <summary>Copies page indices to the device and waits for the end.</summary>
    /// <exception cref="PlanException">A page index is negative; the message names it.</exception>
    public static DevicePageList Create(KernelDevice device, ReadOnlySpan<int> pages)
    {
        ArgumentNullException.ThrowIfNull(device);
        int maximum = -1;
        for (int i = 0; i < pages.Length; i++)
        {
            if (pages[i] < 0)
                throw new PlanException($"Page index {pages[i]} at position {i} is negative; page indices are 0 or more.");
            maximum = Math.Max(maximum, pages[i]);
        }

        if (pages.IsEmpty)
            return new DevicePageList(device, null, 0, -1);
        DeviceBuffer buffer = device.Allocate((long)pages.Length * sizeof(int), sizeof(int));
        buffer.Write(MemoryMarshal.AsBytes(pages));
        return new DevicePageList(device, buffer, pages.Length, maximum);
    }

    /// <summary>Frees the list. No copy may still use it.</summary>
    public void Dispose() => _buffer?.Dispose();
}
