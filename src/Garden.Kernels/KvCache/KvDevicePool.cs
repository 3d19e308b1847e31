using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>A page pool in device memory.</summary>
/// <param name="Buffer">The memory.</param>
/// <param name="Pages">Pages it was laid out for.</param>
/// <param name="Offset">Byte offset of the pool inside the memory.</param>
public readonly record struct KvDevicePool(DeviceBuffer Buffer, int Pages, long Offset = 0)
{
    internal nint Address => Buffer.Address + (nint)Offset;

    /// <summary>Requires the pool, up to the end of the layers used, to lie in its buffer and to hold the layout's elements on this device.</summary>
    internal void Require<TLayout>(KernelDevice device, string side, int endLayer)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        if (Buffer is null)
            throw new ArgumentException($"The {side} pool has no buffer.", side);
        KvDeviceValidation.RequireReach(Buffer, device, side);
        KvDeviceValidation.RequireElements<TLayout>(Buffer, side);
        long needed = TLayout.PoolOrder == KvPoolOrder.LayerMajor ? endLayer * TLayout.BytesPerPage * Pages : TLayout.PoolBytes(Pages);
        if (Pages < 0 || Offset < 0 || Offset > Buffer.Length - needed)
            throw new PlanException($"The {side} pool of {Pages} pages and {endLayer} layers needs {needed} bytes at offset {Offset}, but its buffer has {Buffer.Length}; correct the page count or the offset, or allocate more.");
    }
}
