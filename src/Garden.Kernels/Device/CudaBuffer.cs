using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>Memory of a CUDA device.</summary>
internal sealed unsafe class CudaBuffer : DeviceBuffer
{
    private readonly CudaHandle? _owned;
    private readonly CudaIpcMapping? _mapping;

    private CudaBuffer(CudaDevice device, nint address, long length, int elementBytes, CudaHandle? owned, CudaIpcMapping? mapping = null)
        : base(device, address, length, elementBytes)
    {
        _owned = owned;
        _mapping = mapping;
    }

    public static CudaBuffer Allocate(CudaDevice device, long bytes, int elementBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        using CudaContext.Scope scope = device.Context.Enter();
        CUresult result = LibCuda.cuMemAlloc(out nint address, (nuint)bytes);
        if (result == CUresult.CUDA_ERROR_OUT_OF_MEMORY)
        {
            DeviceMemoryInfo memory = device.Memory;
            CudaException.Throw(result, $"cuMemAlloc({bytes} of {memory.FreeBytes} free bytes)");
        }

        LibCuda.Check(result, nameof(LibCuda.cuMemAlloc));
        CudaHandle owned = CudaHandle.Own(device.Context, address, &LibCuda.cuMemFree);
        try
        {
            return new CudaBuffer(device, address, bytes, elementBytes, owned);
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    public static CudaBuffer Wrap(CudaDevice device, nint address, long bytes, int elementBytes)
    {
        using CudaContext.Scope scope = device.Context.Enter();
        int ordinal = OwnerOf(address, bytes);
        if (ordinal != device.Number)
            throw new ArgumentException($"0x{address:x} is memory of CUDA device {ordinal}, not of {device.Name} ({device.Number}); wrap it on its own device.", nameof(address));
        return new CudaBuffer(device, address, bytes, elementBytes, null);
    }

    /// <summary>Memory of this process on this device or on a peer, which is made reachable.</summary>
    public static CudaBuffer Reach(CudaDevice device, nint address, long bytes, int elementBytes)
    {
        using CudaContext.Scope scope = device.Context.Enter();
        int ordinal = OwnerOf(address, bytes);
        nint context = 0;
        // Safe: the attribute is a pointer.
        LibCuda.Check(LibCuda.cuPointerGetAttribute(&context, CUpointer_attribute.CU_POINTER_ATTRIBUTE_CONTEXT, address));
        device.EnablePeer(ordinal, context);
        return new CudaBuffer(device, address, bytes, elementBytes, null);
    }

    public static CudaBuffer OfMapping(CudaDevice device, CudaIpcMapping mapping, long offset, long bytes, int elementBytes) =>
        new(device, mapping.Address + (nint)offset, bytes, elementBytes, null, mapping);

    /// <summary>The ordinal of the device that has the memory.</summary>
    private static int OwnerOf(nint address, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        int kind = 0, ordinal = -1;
        // Safe: both attributes are ints.
        if (LibCuda.cuPointerGetAttribute(&kind, CUpointer_attribute.CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address) != CUresult.CUDA_SUCCESS || kind != LibCuda.CU_MEMORYTYPE_DEVICE)
            throw new ArgumentException($"0x{address:x} is not an address of CUDA device memory in this process; pass a tensor's data pointer, or use MapHost for host memory.", nameof(address));
        LibCuda.Check(LibCuda.cuPointerGetAttribute(&ordinal, CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address));
        LibCuda.Check(LibCuda.cuMemGetAddressRange(out nint start, out nuint length, address));
        if (bytes > (long)length - (address - start))
            throw new ArgumentException($"The {bytes} bytes from 0x{address:x} on end outside their allocation of {length} bytes at 0x{start:x}; correct the length.", nameof(bytes));
        return ordinal;
    }

    private protected override void Free()
    {
        _owned?.Dispose();
        _mapping?.Release();
    }
}
