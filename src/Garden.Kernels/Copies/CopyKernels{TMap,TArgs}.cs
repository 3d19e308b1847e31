using System.Numerics;

namespace Garden.Kernels;

/// <summary>A copy loaded on a device: with the widest accesses its geometry allows, and byte by byte for addresses that do not.</summary>
internal sealed class CopyKernels<TMap, TArgs> : IDisposable
    where TMap : unmanaged, ICopyMap<TArgs>
    where TArgs : unmanaged
{
    private const int MaxGridRows = 65535;
    private readonly DeviceKernel<TArgs> _wide;
    private readonly DeviceKernel<TArgs> _narrow;

    /// <param name="device">Where to load it.</param>
    /// <param name="granule">Bytes that lie together on both sides, whatever the pages.</param>
    public CopyKernels(KernelDevice device, long granule)
    {
        WideBytes = (int)Math.Min(16, 1L << BitOperations.TrailingZeroCount(granule));
        _wide = WideBytes switch
        {
            16 => device.Load<TArgs>(MappedCopy<TMap, TArgs, Access16>.Run),
            8 => device.Load<TArgs>(MappedCopy<TMap, TArgs, Access8>.Run),
            4 => device.Load<TArgs>(MappedCopy<TMap, TArgs, Access4>.Run),
            2 => device.Load<TArgs>(MappedCopy<TMap, TArgs, Access2>.Run),
            _ => device.Load<TArgs>(MappedCopy<TMap, TArgs, Access1>.Run),
        };
        _narrow = WideBytes == 1 ? _wide : device.Load<TArgs>(MappedCopy<TMap, TArgs, Access1>.Run);
    }

    /// <summary>Bytes of an access when all addresses are multiples of it.</summary>
    public int WideBytes { get; }

    public KernelResources Resources => _wide.Resources;

    /// <summary>Bytes of an access for these base addresses.</summary>
    public int AccessBytes(nint first, nint second) => ((first | second) & (WideBytes - 1)) == 0 ? WideBytes : 1;

    /// <summary>Puts the copy on a stream.</summary>
    public void Launch(DeviceStream stream, int rows, long rowBytes, int accessBytes, in TArgs arguments)
    {
        DeviceKernel<TArgs> kernel = accessBytes == 1 ? _narrow : _wide;
        // A tile a group on a GPU, whose scheduler keeps it fuller than groups that walk over tiles do (0.96 against 0.90 of a
        // memcpy on an H100); on the CPU accelerator as many groups as run at once.
        LaunchShape shape = kernel.ShapeFor(long.MaxValue / 2);
        if (kernel.Device is not CpuDevice)
        {
            long tileBytes = (long)shape.GroupThreads * MappedCopy<TMap, TArgs, Access1>.VectorsPerThread * accessBytes;
            shape = shape with { Groups = (int)((rowBytes + tileBytes - 1) / tileBytes), Rows = Math.Min(rows, MaxGridRows) };
        }

        kernel.Launch(stream, in shape, in arguments);
    }

    public void Dispose()
    {
        _wide.Dispose();
        _narrow.Dispose();
    }
}
