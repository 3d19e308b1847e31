using Garden.Kernels.Native;
using Microsoft.Win32.SafeHandles;

namespace Garden.Kernels;

/// <summary>Memory shared with other processes and with NICs.</summary>
public sealed partial class CudaDevice
{
    /// <inheritdoc/>
    public override unsafe IpcMemoryHandle ExportMemory(DeviceBuffer buffer)
    {
        RequireOwn(buffer);
        using CudaContext.Scope scope = Context.Enter();
        LibCuda.Check(LibCuda.cuMemGetAddressRange(out nint start, out _, buffer.Address));
        ulong allocation = 0;
        // Safe: the attribute is 8 bytes.
        LibCuda.Check(LibCuda.cuPointerGetAttribute(&allocation, CUpointer_attribute.CU_POINTER_ATTRIBUTE_BUFFER_ID, buffer.Address));
        LibCuda.Check(LibCuda.cuIpcGetMemHandle(out CUipcMemHandle handle, start));
        return new IpcMemoryHandle
        {
            ProcessId = Environment.ProcessId,
            ProcessStart = ProcessIdentity.OwnStart,
            AllocationId = allocation,
            Offset = buffer.Address - start,
            Length = buffer.Length,
            Address = (ulong)buffer.Address,
            Handle = ((ReadOnlySpan<byte>)handle.reserved).ToArray(),
        };
    }

    /// <inheritdoc/>
    public override DeviceBuffer ImportMemory(IpcMemoryHandle handle, int elementBytes = 1)
    {
        ArgumentNullException.ThrowIfNull(handle);
        RequireAlive(handle);
        if (handle.ProcessId == Environment.ProcessId)
            return CudaBuffer.Reach(this, (nint)handle.Address, handle.Length, elementBytes);
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
