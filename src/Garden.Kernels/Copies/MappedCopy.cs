using ILGPU;

namespace Garden.Kernels;

/// <summary>The kernel that copies what a map says: four vectors of a thread in flight, neighbours in neighbouring threads.</summary>
/// <typeparam name="TMap">Where vectors come from and go to.</typeparam>
/// <typeparam name="TArgs">The kernel's arguments.</typeparam>
/// <typeparam name="TAccess">Bytes of a vector.</typeparam>
public static class MappedCopy<TMap, TArgs, TAccess>
    where TMap : unmanaged, ICopyMap<TArgs>
    where TArgs : unmanaged
    where TAccess : unmanaged, IAccess
{
    internal const int VectorsPerThread = 4;

    /// <summary>The kernel: rows go to the grid's Y, tiles of four times the group's threads to its X.</summary>
    public static void Run(TArgs arguments)
    {
        int rows = TMap.Rows(arguments);
        uint vectors = TMap.Vectors(arguments);
        uint threads = (uint)Group.DimX;
        uint first = ((uint)Grid.IdxX * threads * VectorsPerThread) + (uint)Group.IdxX;
        uint step = (uint)Grid.DimX * threads * VectorsPerThread;
        for (int row = Grid.IdxY; row < rows; row += Grid.DimY)
        {
            for (uint v = first; v < vectors; v += step)
            {
                uint v1 = v + threads, v2 = v1 + threads, v3 = v2 + threads;
                if (v3 < vectors)
                {
                    Vector16 a = TAccess.Load(TMap.Source(arguments, row, v, TAccess.Bytes));
                    Vector16 b = TAccess.Load(TMap.Source(arguments, row, v1, TAccess.Bytes));
                    Vector16 c = TAccess.Load(TMap.Source(arguments, row, v2, TAccess.Bytes));
                    Vector16 d = TAccess.Load(TMap.Source(arguments, row, v3, TAccess.Bytes));
                    TAccess.Store(TMap.Destination(arguments, row, v, TAccess.Bytes), a);
                    TAccess.Store(TMap.Destination(arguments, row, v1, TAccess.Bytes), b);
                    TAccess.Store(TMap.Destination(arguments, row, v2, TAccess.Bytes), c);
                    TAccess.Store(TMap.Destination(arguments, row, v3, TAccess.Bytes), d);
                }
                else
                {
                    for (uint w = v; w < vectors; w += threads)
                        TAccess.Store(TMap.Destination(arguments, row, w, TAccess.Bytes), TAccess.Load(TMap.Source(arguments, row, w, TAccess.Bytes)));
                }
            }
        }
    }
}
