using Garden.Interop.Cuda.Native;

namespace Garden.Interop.Cuda;

/// <summary>
/// What a NIC wrote to device memory may be out of its GPU's sight when the host already knows of it, on GPUs that do not order such writes
/// (CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WRITES_ORDERING below OWNER). There the host flushes before it counts an arrival.
/// </summary>
internal unsafe class RemoteWriteFlush(nint context)
{
    /// <summary>The context whose writes are flushed.</summary>
    public nint Context { get; } = context;

    /// <summary>The flush that the memory's GPU needs; null when it needs none.</summary>
    public static RemoteWriteFlush? For(nint address)
    {
        using CudaScope scope = CudaScope.Enter((ulong)address);
        int device, order = 0;
        Check(CudaDriver.cuPointerGetAttribute(&device, CudaDriver.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, (ulong)address), "cuPointerGetAttribute");
        Check(CudaDriver.cuDeviceGetAttribute(&order, CudaDriver.CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WRITES_ORDERING, device), "cuDeviceGetAttribute");
        return order >= CudaDriver.CU_GPU_DIRECT_RDMA_WRITES_ORDERING_OWNER ? null : new RemoteWriteFlush(scope.Context);
    }

    /// <summary>Makes all that has arrived visible to the GPU.</summary>
    /// <exception cref="FabricException">The context is gone or has failed; the message has the driver's code.</exception>
    public virtual void Run()
    {
        using CudaScope scope = CudaScope.Enter(Context);
        Check(CudaDriver.cuFlushGPUDirectRDMAWrites(CudaDriver.CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TARGET_CURRENT_CTX, CudaDriver.CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TO_OWNER), "cuFlushGPUDirectRDMAWrites");
    }

    private static void Check(int code, string call)
    {
        if (code != CudaDriver.CUDA_SUCCESS)
            throw new FabricException($"{call} failed: {CudaScope.NameOf(code)} ({code}).");
    }
}
