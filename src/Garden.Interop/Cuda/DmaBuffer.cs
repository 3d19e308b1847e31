using System.Runtime.InteropServices;
using Garden.Interop.Cuda.Native;

namespace Garden.Interop.Cuda;

/// <summary>A range of device memory as a dma-buf descriptor, which a NIC's driver pins without a module of NVIDIA's in between.</summary>
internal sealed unsafe partial class DmaBuffer : IDisposable
{
    private DmaBuffer(int descriptor, ulong offset)
    {
        Descriptor = descriptor;
        Offset = offset;
    }

    /// <summary>The file descriptor; the NIC's driver holds the memory by itself once it has it.</summary>
    public int Descriptor { get; }

    /// <summary>Where in the buffer the range begins: buffers begin at pages.</summary>
    public ulong Offset { get; }

    /// <summary>Exports a range.</summary>
    /// <exception cref="FabricException">The driver is not there or refused; the message has its code.</exception>
    public static DmaBuffer Export(nint address, long length)
    {
        var page = (ulong)Environment.SystemPageSize;
        ulong start = (ulong)address / page * page;
        ulong size = ((ulong)address + (ulong)length - start + page - 1) / page * page;
        using CudaScope scope = CudaScope.Enter((ulong)address);
        int descriptor = -1;
        int code = CudaDriver.cuMemGetHandleForAddressRange(&descriptor, start, (nuint)size, CudaDriver.CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0);
        if (code != CudaDriver.CUDA_SUCCESS)
            throw new FabricException($"The driver gives no dma-buf for {length} bytes of device memory at 0x{address:x}: {CudaScope.NameOf(code)} ({code}). It needs a GPU with open kernel modules (`cat /proc/driver/nvidia/version`) and memory of cuMemAlloc or cuMemCreate.");
        return new DmaBuffer(descriptor, (ulong)address - start);
    }

    public void Dispose() => _ = Close(Descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
