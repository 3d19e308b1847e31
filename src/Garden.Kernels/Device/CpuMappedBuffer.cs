namespace Garden.Kernels;

/// <summary>Mapped memory of the CPU accelerator: host memory, with one address.</summary>
internal sealed unsafe class CpuMappedBuffer : MappedBuffer
{
    private readonly NativeBuffer? _owned;

    private CpuMappedBuffer(nint address, long length, NativeBuffer? owned)
        : base(address, address, length) => _owned = owned;

    public static CpuMappedBuffer Allocate(long bytes)
    {
        var owned = new NativeBuffer(bytes);
        return new CpuMappedBuffer((nint)owned.Pointer, bytes, owned);
    }

    public static CpuMappedBuffer Wrap(nint address, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        return new CpuMappedBuffer(address, bytes, null);
    }

    private protected override void Free() => _owned?.Dispose();
}
