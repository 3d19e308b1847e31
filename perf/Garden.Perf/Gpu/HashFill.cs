using ILGPU;

namespace Garden.Perf.Gpu;

/// <summary>Arguments of <see cref="HashFill"/>.</summary>
public struct HashFillArgs
{
    public ulong Address;

    public ulong Words;
}

/// <summary>A kernel that fills memory with words that tell where they are: zeros would hide mistakes, and run faster.</summary>
public static unsafe class HashFill
{
    public static void Run(HashFillArgs arguments)
    {
        ulong step = (ulong)Grid.DimX * (ulong)Group.DimX;
        for (ulong i = ((ulong)Grid.IdxX * (ulong)Group.DimX) + (ulong)Group.IdxX; i < arguments.Words; i += step)
            ((uint*)arguments.Address)[i] = Word(i);
    }

    /// <summary>The word at an index.</summary>
    public static uint Word(ulong index)
    {
        uint hash = (uint)index * 0x9E3779B1u;
        hash ^= hash >> 15;
        return hash * 0x2C1B3C6Du;
    }
}
