using ILGPU;

namespace Garden.Perf.Gpu;

/// <summary>A kernel that fills memory with bfloat16 values like weights': both signs, magnitudes between 2⁻⁷ and 2⁻³, none alike.</summary>
public static unsafe class WeightFill
{
    public static void Run(HashFillArgs arguments)
    {
        ulong step = (ulong)Grid.DimX * (ulong)Group.DimX;
        for (ulong i = ((ulong)Grid.IdxX * (ulong)Group.DimX) + (ulong)Group.IdxX; i < arguments.Words; i += step)
        {
            uint hash = HashFill.Word(i + (arguments.Address >> 8));
            ((uint*)arguments.Address)[i] = (hash & 0x807F_807F) | (0x3C00_3C00 + ((hash >> 1) & 0x0180_0180));
        }
    }
}
