using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Existing host memory that is pinned and mapped while the mapping lives.</summary>
/// <remarks>
/// Mappings that overlap or share a page share its pin (see <see cref="HostPins"/>). Memory that somebody else in this process has
/// pinned, a server's pool say, is used as it is: it is theirs to unpin, and they must not before the mapping is disposed.
/// </remarks>
internal sealed class CudaHostMapping : MappedBuffer
{
    private static readonly Lock s_lock = new();
    private static readonly HostPins s_pins = new(new Driver());
    private readonly List<HostPin> _pins;
    private readonly CudaContext _context;

    private CudaHostMapping(CudaContext context, List<HostPin> pins, nint host, nint device, long length)
        : base(host, device, length)
    {
        _context = context;
        _pins = pins;
    }

    public static CudaHostMapping Create(CudaDevice device, nint address, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        using CudaContext.Scope scope = device.Context.Enter();
        lock (s_lock)
        {
            List<HostPin> pins = s_pins.Hold(address, (nint)bytes);
            try
            {
                nint page = address / Environment.SystemPageSize * Environment.SystemPageSize;
                LibCuda.Check(LibCuda.cuMemHostGetDevicePointer(out nint mapped, page, 0));
                // With unified addressing pinned memory has one address on both sides, so what is pinned apart is still in a row.
                var mapping = new CudaHostMapping(device.Context, pins, address, mapped + (address - page), bytes);
                // The pins go in this context, which stays for it.
                bool held = false;
                device.Context.DangerousAddRef(ref held);
                return mapping;
            }
            catch
            {
                s_pins.Release(pins);
                throw;
            }
        }
    }

    private protected override void Free()
    {
        try
        {
            using CudaContext.Scope scope = _context.Enter();
            lock (s_lock)
                s_pins.Release(_pins);
        }
        finally
        {
            _context.DangerousRelease();
        }
    }

    private sealed class Driver : IHostPinner
    {
        public nint PageBytes => Environment.SystemPageSize;

        public bool TryPin(nint start, nint bytes)
        {
            CUresult result = LibCuda.cuMemHostRegister(start, (nuint)bytes, LibCuda.CU_MEMHOSTREGISTER_PORTABLE | LibCuda.CU_MEMHOSTREGISTER_DEVICEMAP);
            if (result == CUresult.CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED)
                return false;
            LibCuda.Check(result, nameof(LibCuda.cuMemHostRegister));
            return true;
        }

        public void Unpin(nint start) => KernelMetrics.CountRelease(LibCuda.cuMemHostUnregister(start));

        public unsafe nint EndOfPinned(nint page)
        {
            nint start = 0, bytes = 0;
            // Safe: the attributes are a pointer and a size.
            return LibCuda.cuPointerGetAttribute(&start, CUpointer_attribute.CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, page) == CUresult.CUDA_SUCCESS
                && LibCuda.cuPointerGetAttribute(&bytes, CUpointer_attribute.CU_POINTER_ATTRIBUTE_RANGE_SIZE, page) == CUresult.CUDA_SUCCESS
                && start <= page && bytes > page - start
                ? start + bytes
                : page + PageBytes;
        }
    }
}
