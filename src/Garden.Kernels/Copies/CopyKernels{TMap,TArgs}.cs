using System.Numerics;

namespace Garden.Kernels;

/// <summary>A copy loaded on a device: with the widest accesses its geometry allows, and byte by byte for addresses that do not.</summary>
internal sealed class CopyKernels<TMap, TArgs> : IDisposable
    where TMap : unmanaged, ICopyMap<TArgs>
    where TArgs : unmanaged
{
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
        long threads = (rowBytes / accessBytes / MappedCopy<TMap, TArgs, Access1>.VectorsPerThread) + 1;
        LaunchShape full = kernel.ShapeFor(long.MaxValue / 2, CopyTuning.Threads);
        long tiles = (threads + full.GroupThreads - 1) / full.GroupThreads;
        int gridRows = Math.Min(rows, kernel.Device is CpuDevice ? 1 : 65535);
        long mostTiles = Math.Max(1, ((long)full.Groups * CopyTuning.Waves + gridRows - 1) / gridRows);
        kernel.Launch(stream, full with { Groups = (int)Math.Min(tiles, kernel.Device is CpuDevice ? full.Groups : mostTiles), Rows = gridRows }, in arguments);
    }

    public void Dispose()
    {
        _wide.Dispose();
        _narrow.Dispose();
    }
}

internal static class CopyTuning
{
    public static int Threads { get; set; }

    public static int Waves { get; set; } = 4;
}
