using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Existing host memory that is pinned and mapped while the mapping lives.</summary>
/// <remarks>
/// The driver pins whole pages and each only once, for all contexts. So pins are counted per page here: two mappings that share
/// a page share its pin, and the last one that goes unpins it.
/// </remarks>
internal sealed class CudaHostMapping : MappedBuffer
{
    private static readonly Lock s_lock = new();
    private static readonly Dictionary<nint, Pin> s_pins = [];
    private readonly List<nint> _pages;
    private readonly CudaContext _context;

    private CudaHostMapping(CudaContext context, List<nint> pages, nint host, nint device, long length)
        : base(host, device, length)
    {
        _context = context;
        _pages = pages;
    }

    public static CudaHostMapping Create(CudaDevice device, nint address, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        nint pageBytes = Environment.SystemPageSize;
        var pages = new List<nint>();
        using CudaContext.Scope scope = device.Context.Enter();
        lock (s_lock)
        {
            try
            {
                for (nint page = address / pageBytes * pageBytes; page < address + (nint)bytes; page += pageBytes)
                {
                    Add(page, pageBytes);
                    pages.Add(page);
                }

                LibCuda.Check(LibCuda.cuMemHostGetDevicePointer(out nint mapped, pages[0], 0));
                // With unified addressing pinned memory has one address on both sides, so pages pinned apart are still in a row.
                return new CudaHostMapping(device.Context, pages, address, mapped + (address - pages[0]), bytes);
            }
            catch
            {
                pages.ForEach(Remove);
                throw;
            }
        }
    }

    private protected override void Free()
    {
        using CudaContext.Scope scope = _context.Enter();
        lock (s_lock)
            _pages.ForEach(Remove);
    }

    private static void Add(nint page, nint pageBytes)
    {
        if (s_pins.TryGetValue(page, out Pin? pin))
        {
            pin.Count++;
            return;
        }

        CUresult result = LibCuda.cuMemHostRegister(page, (nuint)pageBytes, LibCuda.CU_MEMHOSTREGISTER_PORTABLE | LibCuda.CU_MEMHOSTREGISTER_DEVICEMAP);
        // Somebody else in this process has pinned the page (a server's pinned pool, say): theirs to unpin, ours to use meanwhile.
        bool foreign = result == CUresult.CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
        if (!foreign)
            LibCuda.Check(result, nameof(LibCuda.cuMemHostRegister));
        s_pins.Add(page, new Pin(foreign) { Count = 1 });
    }

    private static void Remove(nint page)
    {
        Pin pin = s_pins[page];
        if (--pin.Count != 0)
            return;
        s_pins.Remove(page);
        if (!pin.Foreign)
            _ = LibCuda.cuMemHostUnregister(page);
    }

    private sealed record Pin(bool Foreign)
    {
        public int Count { get; set; }
    }
}
