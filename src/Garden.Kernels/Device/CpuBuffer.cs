namespace Garden.Kernels;

/// <summary>Device memory of the CPU accelerator: host memory.</summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private readonly NativeBuffer? _owned;

    private CpuBuffer(CpuDevice device, nint address, long length, int elementBytes, NativeBuffer? owned)
        : base(device, address, length, elementBytes) => _owned = owned;

    public static CpuBuffer Allocate(CpuDevice device, long bytes, int elementBytes)
    {
        var owned = new NativeBuffer(bytes);
        return new CpuBuffer(device, (nint)owned.Pointer, bytes, elementBytes, owned);
    }

    public static CpuBuffer Wrap(CpuDevice device, nint address, long bytes, int elementBytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        return new CpuBuffer(device, address, bytes, elementBytes, null);
    }

    private protected override void Free() => _owned?.Dispose();
}
