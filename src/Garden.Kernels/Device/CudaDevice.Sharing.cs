using Garden.Kernels.Native;
using Microsoft.Win32.SafeHandles;

namespace Garden.Kernels;

/// <summary>Memory shared with other processes and with NICs.</summary>
public sealed partial class CudaDevice
{
    /// <summary>A name for a buffer that other processes of this host open with <see cref="ImportMemory"/>. Importers must let go of it before it is freed.</summary>
    /// <exception cref="ArgumentException">The buffer is on another device.</exception>
    /// <exception cref="CudaException">The memory cannot be shared (only what <c>cuMemAlloc</c> gave can).</exception>
    public unsafe IpcMemoryHandle ExportMemory(DeviceBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (!ReferenceEquals(buffer.Device, this))
            throw new ArgumentException($"The buffer is on {buffer.Device.Name}, not on {Name} ({Number}); export it from its own device.", nameof(buffer));
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuMemGetAddressRange(out nint start, out _, buffer.Address));
        ulong allocation = 0;
        // Safe: the attribute is 8 bytes.
        LibCuda.Check(LibCuda.cuPointerGetAttribute(&allocation, CUpointer_attribute.CU_POINTER_ATTRIBUTE_BUFFER_ID, buffer.Address));
        LibCuda.Check(LibCuda.cuIpcGetMemHandle(out CUipcMemHandle handle, start));
        return new IpcMemoryHandle
        {
            ProcessId = Environment.ProcessId,
            ProcessStart = ProcessIdentity.StartOf(Environment.ProcessId) ?? 0,
            AllocationId = allocation,
            Offset = buffer.Address - start,
            Length = buffer.Length,
            Address = (ulong)buffer.Address,
            Handle = ((ReadOnlySpan<byte>)handle.reserved).ToArray(),
        };
    }

    /// <summary>Opens memory that another process exported, for kernels and copies of this device. Memory of this process is used as it is.</summary>
    /// <exception cref="CudaException">The exporting process has ended, or its memory cannot be opened; the message says which.</exception>
    public DeviceBuffer ImportMemory(IpcMemoryHandle handle, int elementBytes = 1)
    {
        ArgumentNullException.ThrowIfNull(handle);
        ulong? start = ProcessIdentity.StartOf(handle.ProcessId);
        if (start != handle.ProcessStart)
            throw new CudaException($"The process {handle.ProcessId} that exported {handle.Length} bytes of device memory {(start is null ? "has ended" : "has ended, and its id was given to another")}; ask its successor for a new handle.");
        if (handle.ProcessId == Environment.ProcessId)
            return WrapMemory((nint)handle.Address, handle.Length, elementBytes);
        CudaIpcMapping mapping = CudaIpcMapping.Open(this, handle);
        try
        {
            using CudaContext.Scope scope = Context.Enter();
            LibCuda.Check(LibCuda.cuMemGetAddressRange(out _, out nuint length, mapping.Address));
            if (handle.Offset > (long)length - handle.Length)
                throw new CudaException($"The handle of process {handle.ProcessId} names [{handle.Offset}, {handle.Offset} + {handle.Length}) of an allocation of {length} bytes; ask for a new handle.");
            return CudaBuffer.OfMapping(this, mapping, handle.Offset, handle.Length, elementBytes);
        }
        catch
        {
            mapping.Release();
            throw;
        }
    }

    /// <summary>A dma-buf of a buffer, by which a NIC's driver reaches it. The range must be whole pages of the host.</summary>
    /// <exception cref="CudaException">The device or its driver cannot export dma-bufs.</exception>
    public SafeFileHandle ExportDmaBuf(DeviceBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED) == 0)
            throw new CudaException($"{Name} cannot export dma-bufs: that needs Linux 5.12 or newer and NVIDIA's open kernel modules.");
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuMemGetHandleForAddressRange(out int descriptor, buffer.Address, (nuint)buffer.Length, LibCuda.CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0));
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }
}
