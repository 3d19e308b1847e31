namespace Garden.Kernels;

/// <summary>Device memory of the CPU accelerator: host memory, on Linux such that other processes can map it.</summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private readonly IDisposable? _owned;

    private CpuBuffer(CpuDevice device, nint address, long length, int elementBytes, IDisposable? owned)
        : base(device, address, length, elementBytes) => _owned = owned;

    public static CpuBuffer Allocate(CpuDevice device, long bytes, int elementBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        if (!SharedMemory.IsSupported)
        {
            var owned = new NativeBuffer(bytes);
            return new CpuBuffer(device, (nint)owned.Pointer, bytes, elementBytes, owned);
        }

        CpuAllocation shared = CpuAllocation.Create(bytes);
        try
        {
            return new CpuBuffer(device, shared.Address, bytes, elementBytes, shared);
        }
        catch
        {
            shared.Dispose();
            throw;
        }
    }

    public static CpuBuffer Wrap(CpuDevice device, nint address, long bytes, int elementBytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        return new CpuBuffer(device, address, bytes, elementBytes, null);
    }

    /// <summary>A range of another process's allocation, which is let go of with the buffer.</summary>
    public static CpuBuffer OfMapping(CpuDevice device, SharedMemory mapping, long offset, long bytes, int elementBytes) =>
        new(device, (nint)mapping.Pointer + (nint)offset, bytes, elementBytes, mapping);

    private protected override void Free() => _owned?.Dispose();
}
